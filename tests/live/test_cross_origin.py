"""CORS and security headers that extensions say with static files: the same when nginx sends the files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Served, free_port, portico, private_directory, served, write_files

APP = """
from flask import Blueprint, Flask
from flask_cors import CORS
from flask_talisman import Talisman
from whitenoise import WhiteNoise

app = Flask(__name__)
for name in ("open", "listed", "regex"):
    app.register_blueprint(Blueprint(name, __name__, static_folder=name, static_url_path="/" + name))
CORS(app, allow_headers=["X-Token"], max_age=600, resources={
    "/open/*": {"origins": "*"},
    "/listed/*": {"origins": ["https://a.example", "https://b.example"], "always_send": False},
    "/regex/*": {"origins": r"https://.*[.]example"},
})
Talisman(app, force_https=False, content_security_policy={"default-src": "'self'"})
app.wsgi_app = WhiteNoise(app.wsgi_app, root="static", prefix="static/")

@app.get("/")
def index():
    return "home"
"""
CSS = "body { color: teal }\n" * 100
FILES = {"app.py": APP, **{f"{name}/app.css": CSS for name in ("open", "listed", "regex", "static")}}
ORIGIN = "https://a.example"
_TALISMAN = ("Content-Security-Policy", "X-Frame-Options", "Referrer-Policy")


@pytest.fixture(scope="module", params=["embedded", "system"])
def run(request: pytest.FixtureRequest, _needs_nginx: None) -> Iterator[Served]:
    with served(FILES, "--nginx", request.param) as made:
        yield made


def test_open_folder_of_flask_cors_is_nginx_s_with_its_headers_and_talisman_s(run: Served) -> None:
    page = run.get()
    for origin in (ORIGIN, "https://elsewhere.example"):
        answer = run.get("/open/app.css", headers={"Origin": origin})
        assert answer.text == CSS
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert {name: answer.headers[name] for name in _TALISMAN} == {
            name: page.headers[name] for name in _TALISMAN
        }
        assert not run.line(answer).get("upstream")


@pytest.mark.parametrize("folder", ["listed", "regex"])
def test_folder_for_some_origins_stays_the_app_s(run: Served, folder: str) -> None:
    assert (
        run.get(f"/{folder}/app.css", headers={"Origin": ORIGIN}).headers["Access-Control-Allow-Origin"]
        == ORIGIN
    )
    stranger = run.get(f"/{folder}/app.css", headers={"Origin": "https://evil.test"})
    assert stranger.text == CSS
    assert "Access-Control-Allow-Origin" not in stranger.headers
    run.until_said("depend on the Origin of a request")


def test_preflight_of_a_file_is_answered_as_the_app_does_it(run: Served) -> None:
    asked = {
        "Origin": ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "X-Token",
    }  # fmt: skip
    for folder in ("open", "listed", "regex"):
        answer = run.client.options(f"{run.url}/{folder}/app.css", headers=asked)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Access-Control-Allow-Headers"] == "X-Token"
        assert answer.headers["Access-Control-Max-Age"] == "600"
        assert "GET" in answer.headers["Access-Control-Allow-Methods"]
    refused = run.client.post(f"{run.url}/open/app.css", content=b"x" * 100_000)
    assert refused.status_code == 405
    assert "OPTIONS" in refused.headers["Allow"]


def test_whitenoise_s_headers_come_with_the_files_from_nginx(run: Served) -> None:
    answer = run.get("/static/app.css")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "max-age=60, public"
    assert not run.line(answer).get("upstream")


DJANGO = {
    "manage.py": "",
    "shop/__init__.py": "",
    "shop/settings.py": """
from pathlib import Path
BASE = Path(__file__).parents[1]
SECRET_KEY = "x" * 60
ROOT_URLCONF = "shop.urls"
ALLOWED_HOSTS = ["*"]
STATIC_URL = "/static/"
STATIC_ROOT = BASE / "root"
MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware"]
""",
    "shop/urls.py": "urlpatterns = []\n",
    "shop/wsgi.py": """
import os
from django.core.wsgi import get_wsgi_application
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
application = get_wsgi_application()
""",
    "root/app.css": CSS,
    "source/linked.css": CSS,
    "source/more.css": CSS,
}


def test_links_in_static_folders_are_said_with_where_they_lead() -> None:
    """As `collectstatic --link` makes them: nginx answers them with 404."""
    with private_directory() as home:
        write_files(home, DJANGO)
        for name in ("linked.css", "more.css"):
            (home / "root" / name).symlink_to(f"../source/{name}")
        found = _static(home)
        real = (home / "source").resolve()
        assert f"links in {home}/root are 404" in found["what"]
        assert f"linked.css -> {real}/linked.css, more.css -> {real}/more.css" in found["what"]
        assert found["hint"] == "run collectstatic without --link"
        plan = portico("plan", "shop.wsgi:application", cwd=home).stdout
        assert "links in" in plan
        assert "Access-Control-Allow-Origin" in plan, "WhiteNoise says it"
        (home / "root" / "linked.css").unlink()
        (home / "root" / "more.css").unlink()
        (home / "root" / "uploads").symlink_to(home / "source")
        hint = f'[static]\n"/static/uploads/" = "{real}"\n'
        assert hint.strip() in _static(home)["hint"]
        write_files(home, {"portico.toml": hint})
        assert not _static(home)


def _static(home: Path) -> dict[str, str]:
    """What `check` warns of in the static folder; empty when it does not."""
    words = ("shop.wsgi:application", "--listen", f"127.0.0.1:{free_port()}", "--json")
    done = portico("check", *words, cwd=home)
    found: list[dict[str, str]] = json.loads(done.stdout)
    warned = (one for one in found if one["subject"] == "static /static/" and one["level"] == "warning")
    return next(warned, {})
