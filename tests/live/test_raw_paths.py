"""An app that gets the path as the client wrote it: no spelling leads past the settings of a route."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import Served, served

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
SETTINGS = """
[guard]
challenge = "always"
[routes."/upload"]
max_upload = "1k"
[routes."/upload/<path:path>"]
max_upload = "1k"
[routes."/costly/<path:path>"]
costly = true
"""
RULE = """
[routes."/of/<path:path>/secret"]
internal = true
"""
DOTS = ("../../x", "%2e%2e/%2E./x", "..%2f..%2fx", ";/../../x", "../#", "#/../x", "a#", "#?x", "./#")
OTHERS = ("x", "/x", "x//y", "%23", ".../x", "x?/../y#")


@pytest.fixture(scope="module", params=[SETTINGS, SETTINGS + RULE], ids=["settings", "a rule, too"])
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    with served(
        {"app.py": APP, "portico.toml": request.param}, "--nginx", "embedded", "--workers", "1"
    ) as run:
        yield run


def asked(run: Served, path: str, method: str = "GET", length: int = 0) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: {run.url[7:]}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    return run.raw(head.encode() + b"x" * length)


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
        assert asked(site, start + end, "POST", 2000).split()[1] in (b"413", b"308"), end


def test_what_stands_behind_a_number_sign_leads_past_no_rule(site: Served) -> None:
    is_ruled = RULE in (site.directory / "portico.toml").read_text()
    for path in ("/of/#/secret", "/of/a#/secret", "/of/a#b/../secret"):
        assert asked(site, path).split()[1] == b"400"
    assert asked(site, "/of/a%23/secret").split()[1] == (b"404" if is_ruled else b"200")


def test_paths_without_dots_reach_the_app_as_they_are(site: Served) -> None:
    assert b"other a.b/..c/d.." in asked(site, "/a.b/..c/d..")
    assert b"other a//b" in asked(site, "/a//b?c=/../#")
