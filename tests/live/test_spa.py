"""A single-page app in front of the app: only navigations that nobody answers get its page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import Served, portico, private_directory, served, write_files

APP = """
from flask import Flask, abort, jsonify
app = Flask(__name__)

@app.get("/api/users/<int:id>")
def user(id):
    if id > 9:
        return jsonify(error="no such user"), 404
    return jsonify(id=id)

@app.errorhandler(404)
def missing(error):
    from flask import request
    return ("hidden", 200) if request.path.startswith("/hidden/") else error

@app.get("/about")
def about():
    return "the app's own page"
"""
FILES = {
    "app.py": APP,
    "dist/index.html": "<div id=root></div>",
    "dist/assets/index-BxY12abc.js": "js",
    "dist/vite.svg": "<svg/>",
    "dist/our menu, 50%+é.txt": "soup",
    "dist/a folder/x.txt": "x",
    "dist/.env": "SECRET",
    "dist/deploy.py": "SECRET",
    "dist/vite.svg~": "SECRET",
    "portico.toml": 'spa = "dist"\n[routes."/hidden/<path:rest>"]\nprivate = true\n',
}
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def spa(front: tuple[str, str]) -> Iterator[Served]:
    with served(FILES, *front, "--health", "/about") as run:
        yield run


@pytest.mark.parametrize("path", ["/", "/users/7", "/deep/er/page?x=1", "/users/john.doe"])
def test_a_navigation_gets_the_page(spa: Served, path: str) -> None:
    answer = spa.get(path, headers=PAGE)
    assert (answer.status_code, answer.text) == (200, FILES["dist/index.html"])
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("accept", [PAGE["Accept"], "*/*"])
def test_a_browser_s_accept_keeps_a_route_private(spa: Served, accept: str) -> None:
    """The app is asked for it elsewhere, since it may be the page's: the settings go along."""
    answer = spa.get("/hidden/x", headers={"Accept": accept})
    assert (answer.text, answer.headers.get("Cache-Control")) == ("hidden", "private, no-store")


@pytest.mark.parametrize(
    ("path", "accept"),
    [("/missing.png", "image/avif,*/*"), ("/nothing", "application/json"), ("/nothing", "*/*")],
)
def test_what_is_no_navigation_does_not(spa: Served, path: str, accept: str) -> None:
    assert spa.get(path, headers={"Accept": accept}).status_code == 404


@pytest.mark.parametrize("path", ["/", "/index.html"])
def test_whoever_asks_for_the_page_itself_gets_it(spa: Served, path: str) -> None:
    """A service worker that keeps it says `*/*`, as curl does."""
    assert spa.get(path, headers={"Accept": "*/*"}).text == FILES["dist/index.html"]
    assert spa.client.head(spa.url + path).status_code == 200
    assert spa.client.post(spa.url + path).status_code == 404


def test_a_post_does_not(spa: Served) -> None:
    assert spa.client.post(spa.url + "/nothing", headers=PAGE).status_code == 404


def test_the_app_s_own_answers_stay(spa: Served) -> None:
    assert spa.get("/about", headers=PAGE).text == "the app's own page"
    assert spa.get("/api/users/1", headers=PAGE).json() == {"id": 1}
    for path in ("/api/users/99", "//api/users/99"):
        missing = spa.get(path, headers=PAGE)
        assert (missing.status_code, missing.json()) == (404, {"error": "no such user"})


def test_its_files(spa: Served) -> None:
    script = spa.get("/assets/index-BxY12abc.js")
    assert (script.text, script.headers["Cache-Control"]) == ("js", "public, max-age=31536000, immutable")
    assert spa.get("/vite.svg").headers["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert spa.get("/our%20menu%2C%2050%25%2B%C3%A9.txt").text == "soup"
    assert spa.get("/a%20folder/x.txt").text == "x"
    assert spa.get("/assets/missing.js", headers=PAGE).status_code == 404
    for name in (".env", "deploy.py", "vite.svg~"):
        assert "SECRET" not in spa.get(f"/{name}", headers=PAGE).text


def test_a_build_that_is_not_there_is_an_error() -> None:
    with private_directory() as home:
        write_files(home, {"app.py": APP, "portico.toml": 'spa = "dist"\n'})
        done = portico("plan", cwd=home)
    assert done.returncode == 2
    assert 'spa: "dist": there is no index.html in it' in done.stderr


@pytest.mark.parametrize("toml", ['spa = "."', 'spa = ".."', '[static]\n"/files/" = "./"', 'spa = "link"'])
def test_a_folder_that_holds_the_app_is_not_published(toml: str) -> None:
    with private_directory() as outside:
        home = outside / "site"
        write_files(home, {"app.py": APP, "index.html": "", "../index.html": "", "portico.toml": toml + "\n"})
        (home / "link").symlink_to(home)
        done = portico("plan", cwd=home)
    assert done.returncode == 2
    assert ": it contains the app itself" in done.stderr
    assert "name the build's output directory" in done.stderr
