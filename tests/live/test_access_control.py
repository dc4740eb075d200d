"""Who may come: by network and method, for views, files, kept pages and downloads, however the path is spelled."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support import Served, portico, served

APP = """
from flask import Flask, request, send_file
from portico import edge

app = Flask(__name__)


@app.after_request
def say(answer):
    if request.path.startswith("/static/"):
        answer.headers["Cache-Control"] = "public, max-age=60"
        answer.headers["CDN-Cache-Control"] = "max-age=600"
    return answer


@app.route("/")
@app.route("/adminer")
@app.route("/admin/", methods=["GET", "POST", "DELETE"])
@app.route("/admin/<path:rest>", methods=["GET", "POST", "DELETE"])
@app.route("/admin/health")
@app.route("/users/<path:rest>")
@app.route("/shops/<int:number>/raw")
def anywhere(**found):
    return f"app {request.path}"


@app.route("/reports/<int:number>")
@edge.internal
def report(number):
    return f"report {number}"


@app.route("/once")
@edge.methods("GET")
def once():
    return "once"


@app.route("/kept/page")
@edge.cache("60s")
def kept():
    return "kept"


@app.route("/files/one")
def one():
    return send_file("static/big.bin")
"""
TOML = """
app = "shop:app"
behind = ["127.0.0.1"]

[access."/admin"]
allow = ["10.0.0.0/8", "2001:db8:1::/48", "office.networks"]
deny = ["10.6.6.0/24"]
methods = ["GET", "POST"]

[access."/admin/health"]
anybody = true

[access."/users"]
allow = ["10.0.0.0/8"]

[access."/users/public"]
allow = ["0.0.0.0/0", "::/0"]

[access."/static/internal"]
allow = ["10.0.0.0/8"]

[access."/kept"]
allow = ["10.0.0.0/8"]

[access."/files"]
deny = ["192.0.2.0/24"]

[access."/shops/<int:number>/raw"]
internal = true
allow = ["10.9.9.9"]
"""
FILES = {
    "shop.py": APP,
    "portico.toml": TOML,
    "office.networks": "# the office\n198.51.100.0/24\n2001:db8:2::1  # the boss\n",
    "static/app.css": "body {}",
    "static/internal/secret.txt": "secret",
    "static/big.bin": "b" * 100_000,
}
INSIDE, V6, OFFICE, BOSS, DENIED, OUTSIDE = (
    "10.1.2.3", "2001:db8:1::5", "198.51.100.7", "2001:db8:2::1", "10.6.6.6", "192.0.2.1",
)  # fmt: skip


APACHE = FILES | {"shop.py": APP.replace('@edge.cache("60s")', "")}
"""Apache httpd keeps no answers."""


@pytest.fixture(scope="module")
def site(front: tuple[str, str]) -> Iterator[Served]:
    with served(APACHE if "apache" in front else FILES, *front) as run:
        yield run


def status(site: Served, path: str, client: str, method: str = "GET", **headers: str) -> int:
    """What a client of that address gets: this test is the declared proxy."""
    asked = site.client.build_request(
        method, f"{site.url}{path}", headers={"X-Forwarded-For": client} | headers
    )
    return site.client.send(asked).status_code


def test_a_view_is_for_networks_that_may_come(site: Served) -> None:
    may = {client: status(site, "/admin/x", client) for client in (INSIDE, V6, OFFICE, BOSS)}
    assert may == dict.fromkeys(may, 200)
    may_not = {client: status(site, "/admin/x", client) for client in (DENIED, OUTSIDE, "2001:db8:2::2")}
    assert may_not == dict.fromkeys(may_not, 403)
    assert status(site, "/", OUTSIDE) == status(site, "/adminer", OUTSIDE) == 200
    assert status(site, "/admin/health", OUTSIDE) == 200


@pytest.mark.parametrize(
    "path",
    ["/admin", "/admin/", "//admin/x", "/ADMIN/x", "/admin//x", "/x/../admin/x", "/%61dmin/x", "/admin%2fx",
     "/./admin/x", "/admin/health/../x", "/admin/health%2f..%2fx", "/admin/?x", "/admin/x%0a", "///admin///x"],
)  # fmt: skip
def test_no_spelling_of_a_path_goes_past(site: Served, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: {site.url[7:]}\r\nX-Forwarded-For: {OUTSIDE}\r\nConnection: close\r\n\r\n"
    assert site.raw(request.encode()).split()[1] == b"403"


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/users/public/x", 200), ("/users/%70ublic/x", 200), ("/users/x/../public/x", 200), ("/users/x", 403),
     ("/users/PUBLIC/x", 403), ("/Users/public/x", 403), ("/users//public/x", 403), ("//users/public/x", 403),
     ("/users/public/../x", 403), ("/users/public;x", 403), ("/users/publi", 403), ("/users/publics", 403),
     ("/users/public%0a", 403), ("/users/%50ublic/x", 403)],
)  # fmt: skip
def test_a_rule_that_lets_more_come_holds_for_its_path_as_it_is_written(
    site: Served, path: str, expected: int
) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: {site.url[7:]}\r\nX-Forwarded-For: {OUTSIDE}\r\nConnection: close\r\n\r\n"
    assert int(site.raw(request.encode()).split()[1]) == expected


def test_nobody_names_an_address_but_a_proxy(site: Served) -> None:
    assert status(site, "/admin/x", f"{INSIDE}, {OUTSIDE}") == 403
    assert status(site, "/admin/x", OUTSIDE, **{"X-Real-IP": INSIDE, "Forwarded": f"for={INSIDE}"}) == 403


def test_files_and_kept_pages_and_downloads(site: Served) -> None:
    assert status(site, "/static/app.css", OUTSIDE) == 200
    for path in (
        "/static/internal/secret.txt",
        "/static//internal/secret.txt",
        "//static/internal/secret.txt",
    ):
        assert status(site, path, OUTSIDE) == 403
    assert status(site, "/static/internal/secret.txt", INSIDE) == 200
    kept = [status(site, "/kept/page", client) for client in (INSIDE, INSIDE, OUTSIDE, INSIDE)]
    assert kept == [200, 200, 403, 200]
    assert status(site, "/files/one", INSIDE) == 200
    assert status(site, "/files/one", OUTSIDE) == 403


def test_no_cache_before_the_site_keeps_a_file_that_is_not_for_everybody(site: Served) -> None:
    """Whatever the app says with its files."""
    said = {
        path: site.get(f"/static/{path}", headers={"X-Forwarded-For": INSIDE}).headers
        for path in ("app.css", "internal/secret.txt")
    }
    names = ("Cache-Control", "CDN-Cache-Control")
    assert [said["app.css"].get(name) for name in names] == ["public, max-age=60", "max-age=600"]
    assert [said["internal/secret.txt"].get(name) for name in names] == ["private, no-cache", None]


def test_an_internal_route_looks_like_nothing(site: Served) -> None:
    for path in (
        "/reports/3",
        "//reports/3",
        "/reports/3/",
        "/reports/%D9%A3",
        "/shops/1/raw",
        "/shops/%D9%A1/raw",
    ):
        assert status(site, path, INSIDE) == 404, path
    assert status(site, "/shops/1/raw", "10.9.9.9") == 200


def test_methods_that_are_not_taken(site: Served) -> None:
    assert status(site, "/admin/x", INSIDE, "POST") == status(site, "/admin/x", INSIDE, "HEAD") == 200
    refused = site.client.request("DELETE", f"{site.url}/admin/x", headers={"X-Forwarded-For": INSIDE})
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, POST, HEAD")
    assert status(site, "/once", OUTSIDE, "POST") == 405
    assert "Allow" not in site.get("/admin/x", headers={"X-Forwarded-For": OUTSIDE}).headers


def test_the_answer_is_a_page_or_json_and_the_line_says_who(site: Served) -> None:
    page = site.get("/admin/x", headers={"X-Forwarded-For": OUTSIDE, "Accept": "text/html"})
    assert "Not allowed" in page.text
    program = site.get("/admin/x", headers={"X-Forwarded-For": OUTSIDE, "Accept": "application/json"})
    assert json.loads(program.text)["error"]["status"] == 403
    assert site.line(program)["refused_by"] == "network"
    hidden = site.get("/reports/7", headers={"X-Forwarded-For": OUTSIDE})
    assert site.line(hidden)["refused_by"] == "internal"
    method = site.client.delete(f"{site.url}/admin/x", headers={"X-Forwarded-For": INSIDE})
    assert site.line(method)["refused_by"] == "method"
    file = site.get("/static/internal/secret.txt", headers={"X-Forwarded-For": OUTSIDE})
    assert site.line(file)["refused_by"] == "network"
    assert site.line(site.get("/", headers={"X-Forwarded-For": OUTSIDE}))["refused_by"] == ""


def test_a_reload_reads_the_networks_again() -> None:
    files = APACHE | {
        "portico.toml": 'app = "shop:app"\nbehind = ["127.0.0.1"]\n[access."/admin"]\nallow = ["n"]\n'
    }
    with served(files | {"n": "198.51.100.0/24"}) as run:
        assert status(run, "/admin/x", OFFICE) == 200
        (run.directory / "n").write_text("10.0.0.0/8")
        assert portico("reload", cwd=run.directory).returncode == 0
        found = [status(run, "/admin/x", client, Connection="close") for client in (OFFICE, INSIDE)]
        assert found == [403, 200]
        (run.directory / "n").write_text("nobody")
        wrong = portico("reload", cwd=run.directory)
        assert wrong.returncode != 0
        assert 'line 1: "nobody" is not a network' in wrong.stdout
        assert status(run, "/admin/x", INSIDE) == 200
