"""A rule whose target is a server of another protocol: uWSGI itself answers by uwsgi and by FastCGI."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import Served, end, free_port, private_directory, start, until_ready, write_files
from tests.support.process import running

APP = """
import json

def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    said = {name: value for name, value in environ.items() if isinstance(value, str)}
    if environ["PATH_INFO"].endswith("/away"):
        start_response("302 Found", [("Location", environ["SCRIPT_NAME"] + "/f/there")])
        return [b""]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"bytes": len(body), "environ": said}).encode()]
"""
TOML = """
[[route]]
path = "/f/"
to = "fastcgi://127.0.0.1:{fastcgi}"
[[route]]
path = "/u/"
to = "uwsgi://127.0.0.1:{uwsgi}"
[[route]]
path = "/gone/"
to = "fastcgi://127.0.0.1:{gone}"
[[route]]
to = "404"
[access."/f/secret"]
deny = ["127.0.0.0/8"]
"""
FORGED = {
    "Proxy": "http://evil.example", "X-Forwarded-For": "192.0.2.6", "X-Forwarded-Host": "evil.example",
    "X-Real-IP": "192.0.2.6", "X-Forwarded-Proto": "https", "X-Mirrored": "1", "X-Portico-Proxy": "1",
    "X-Script-Name": "/evil", "Script-Name": "/evil", "Remote-User": "root", "Remote-Addr": "192.0.2.6",
}  # fmt: skip


@pytest.fixture(scope="module", params=["embedded", "system"])
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    ports = {"fastcgi": free_port(), "uwsgi": free_port(), "gone": free_port()}
    text = TOML
    for name, port in ports.items():
        text = text.replace(f"{{{name}}}", str(port))
    with private_directory() as home:
        write_files(home, {"server/app.py": APP, "site/portico.toml": text})
        words = [
            str(Path(sys.executable).parent / "uwsgi"), "--wsgi-file", str(home / "server/app.py"),
            "--fastcgi-socket", f"127.0.0.1:{ports['fastcgi']}", "--uwsgi-socket", f"127.0.0.1:{ports['uwsgi']}",
            "--master", "--die-on-term", "--buffer-size", "65535",
        ]  # fmt: skip
        with running(words):
            run = start(home / "site", "--nginx", request.param)
            try:
                until_ready(run, 120)
                yield run
            finally:
                end(run)


@pytest.mark.parametrize("path", ["/f", "/u"])
def test_the_server_is_told_path_client_and_host_by_the_gateway_alone(site: Served, path: str) -> None:
    answer = httpx.get(f"{site.url}{path}/a%20b?x=1", headers=FORGED, timeout=60)
    assert answer.status_code == 200, answer.text
    told = answer.json()["environ"]
    assert (told["SCRIPT_NAME"], told["PATH_INFO"], told["QUERY_STRING"]) == ("", f"{path}/a b", "x=1")
    assert (told["REQUEST_URI"], told["REMOTE_ADDR"]) == (f"{path}/a%20b?x=1", "127.0.0.1")
    assert (told["HTTP_X_FORWARDED_FOR"], told["HTTP_X_FORWARDED_PROTO"]) == ("127.0.0.1", "http")
    said = json.dumps(told)
    assert "evil" not in said
    assert "192.0.2.6" not in said
    assert not {"HTTP_PROXY", "HTTP_X_MIRRORED", "HTTP_X_PORTICO_PROXY", "HTTP_REMOTE_USER"} & set(told)
    assert told.get("REMOTE_USER", "") != "root"


@pytest.mark.parametrize("path", ["f", "u"])
def test_a_body_arrives_whole(site: Served, path: str) -> None:
    answer = httpx.post(f"{site.url}/{path}/body", content=b"x" * (1 << 20), timeout=60)
    assert answer.json()["bytes"] == 1 << 20


def test_guards_and_failures_are_those_of_the_site(site: Served) -> None:
    assert httpx.get(f"{site.url}/f/secret/x", timeout=60).status_code == 403
    assert httpx.get(f"{site.url}/f/%73ecret/x", timeout=60).status_code == 403
    assert httpx.get(f"{site.url}/gone/x", timeout=60).status_code == 502
    away = httpx.get(f"{site.url}/f/away", timeout=60)
    assert (away.status_code, away.headers["location"]) == (302, "/f/there")
