"""An app that gets the path as the client wrote it: no spelling leads past the settings of a route."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support import GATEWAY, Served, served

APP = """
from quart import Quart, request

app = Quart(__name__)

@app.get("/<path:path>")
async def other(path):
    return f"other {path}"

@app.route("/upload", methods=["POST"])
@app.route("/upload/<path:path>", methods=["POST"])
async def upload(path=""):
    return f"upload {len(await request.get_data())}"

@app.get("/costly/<path:path>")
async def costly(path):
    return f"costly {path}"

@app.get("/of/<path:path>/secret")
async def secret(path):
    return f"secret {path}"
"""
SIZES = """
[routes."/upload"]
max_upload = "1k"
[routes."/upload/<path:path>"]
max_upload = "1k"
"""
CHALLENGE = """
[guard]
challenge = "always"
[routes."/costly/<path:path>"]
costly = true
"""
"""httpd has none."""
SETTINGS = SIZES if os.environ.get(GATEWAY) else SIZES + CHALLENGE
RULE = """
[routes."/of/<path:path>/secret"]
internal = true
"""
BESIDE_HTTP = """
[upstream]
servers = ["app", "http://127.0.0.1:9 backup"]
"""
"""The app is reached by HTTP then, and gets the path as the client wrote it. httpd asks an ASGI app by HTTP anyway."""
DOTS = ("../../x", "%2e%2e/%2E./x", "..%2f..%2fx", ";/../../x", "../#", "#/../x", "a#", "#?x", "./#")
OTHERS = ("x", "/x", "x//y", "%23", ".../x", "x?/../y#")


@pytest.fixture(scope="module", params=[SETTINGS, SETTINGS + RULE], ids=["settings", "a rule, too"])
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    with served(
        {"app.py": APP, "portico.toml": request.param + ("" if os.environ.get(GATEWAY) else BESIDE_HTTP)},
        "--nginx",
        "embedded",
        "--workers",
        "1",
    ) as run:
        yield run


BY_RAW_PATH = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    segments = scope["raw_path"].decode().split("/")[1:]
    while ".." in segments[1:]:
        at = segments.index("..", 1)
        del segments[at - 1 : at + 1]
    name = segments[0] if segments[0] in ("upload", "costly") and "".join(segments[1:2]) else "other"
    if segments == ["upload"]:
        name = "upload"
    if segments[0] == "of" and segments[-1] == "secret" and len(segments) > 2:
        name = "secret a"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{name} {scope['path']} {scope['raw_path']}".encode()})
"""
"""As BlackSheep and others do."""


@pytest.fixture(scope="module")
def by_raw_path() -> Iterator[Served]:
    with served(
        {"app.py": BY_RAW_PATH, "portico.toml": SETTINGS + RULE}, "--nginx", "embedded", "--workers", "1"
    ) as run:
        yield run


@pytest.fixture(scope="module")
def judged() -> Iterator[Served]:
    """Portico's worker: the app gets the path that nginx has judged."""
    with served(
        {"app.py": APP, "portico.toml": SETTINGS + RULE}, "--nginx", "embedded", "--workers", "1"
    ) as run:
        yield run


def asked(run: Served, path: str, method: str = "GET", length: int = 0) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: {run.url[7:]}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    return run.raw(head.encode() + b"x" * length)


@pytest.mark.of_nginx  # with a challenge
@pytest.mark.parametrize("start", ["/costly/a/", "//costly/a/"])
def test_no_spelling_leads_to_a_costly_view_without_a_pass(site: Served, start: str) -> None:
    for end in DOTS:
        assert asked(site, start + end).split()[1] == b"400", end
    for end in OTHERS:
        assert asked(site, start + end).split()[1] == b"429", end


@pytest.mark.parametrize("start", ["/upload/", "//upload/", "/upload", "//upload"])
def test_no_spelling_leads_past_the_size_of_an_upload(site: Served, start: str) -> None:
    for end in DOTS if start.endswith("/") else ("#", "#/..", "/."):
        assert asked(site, start + end, "POST", 2000).split()[1] in (b"400", b"413"), end
    for end in OTHERS if start.endswith("/") else ("", "?/..", "?#"):
        refused = (b"413", b"308", b"400") if site.is_apache and "#" in end else (b"413", b"308")
        assert asked(site, start + end, "POST", 2000).split()[1] in refused, end


def test_what_stands_behind_a_number_sign_leads_past_no_rule(site: Served) -> None:
    is_ruled = RULE in (site.directory / "portico.toml").read_text()
    for path in ("/of/#/secret", "/of/a#/secret", "/of/a#b/../secret"):
        assert asked(site, path).split()[1] == b"400"
    assert asked(site, "/of/a%23/secret").split()[1] == (b"404" if is_ruled else b"200")


def test_paths_without_dots_reach_the_app_as_they_are(site: Served) -> None:
    assert b"other a.b/..c/d.." in asked(site, "/a.b/..c/d..")
    assert b"other a//b" in asked(site, "/a//b?c=/../")
    answer = asked(site, "/a//b?c=/../#")
    assert answer.split()[1] == b"400" if site.is_apache else b"other a//b" in answer


@pytest.fixture(params=["judged", "by_raw_path"])
def of_nginx(request: pytest.FixtureRequest) -> Served:
    found: Served = request.getfixturevalue(request.param)
    return found


@pytest.mark.of_nginx  # with a challenge, and httpd asks no ASGI app for the path that it has judged
def test_an_app_that_gets_the_path_of_nginx_is_led_past_no_rule_either(of_nginx: Served) -> None:
    for start in ("/costly/a/", "//costly/a/"):
        for end in (*DOTS, *OTHERS):
            answer = asked(of_nginx, start + end)
            assert answer.split()[1] in (b"400", b"429") or b"other " in answer, end
    for start in ("/upload/", "//upload/", "/upload", "//upload"):
        for end in (*DOTS, *OTHERS, "", "/."):
            answer = asked(of_nginx, start + end, "POST", 2000)
            is_refused = answer.split()[1] in (b"400", b"404", b"405", b"413", b"308")
            assert is_refused or b"other " in answer, end
    for path in (
        "/of/a/secret",
        "/of/a#/secret",
        "/of/#/../a/secret",
        "/x/../of/a/secret",
        "/of/a/x/../secret",
    ):
        answer = asked(of_nginx, path)
        assert answer.split()[1] == b"404" or b"other " in answer, path
        assert b"secret a" not in answer


def test_the_raw_path_keeps_what_the_client_wrote_where_it_means_the_same(by_raw_path: Served) -> None:
    assert b"other /a/b//c d b'/a%2Fb//c%20d'" in asked(by_raw_path, "/a%2Fb//c%20d")
    answer = asked(by_raw_path, "/of/%2e%2e/c/secret")
    assert answer.split()[1] == b"400" if by_raw_path.is_apache else b"other /c/secret b'/c/secret'" in answer
