"""What the app believes about a request: from nginx alone, whatever a client sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.live.conftest import MIRROR
from tests.support import Served, served, until_there

SPOOFED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Protocol": "ssl",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Server": "evil.example",
    "X-Real-IP": "6.6.6.6",
    "Forwarded": "for=6.6.6.6;host=evil.example;proto=https",
    "Script-Name": "/evil",
    "SCRIPT_NAME": "/evil",
    "Path-Info": "/evil",
    "Remote-Addr": "6.6.6.6",
    "Proxy": "http://evil.example",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "X_Forwarded_For": "6.6.6.6",
    "Front-End-Https": "on",
    "CF-Connecting-IP": "6.6.6.6",
    "True-Client-IP": "6.6.6.6",
    "X-Client-IP": "6.6.6.6",
    "X-Forwarded": "6.6.6.6",
    "X-Forwarded-User": "evil",
    "Remote-User": "evil",
    "X-Original-Host": "evil.example",
    "X-Host": "evil.example",
    "X-Scheme": "https",
}
PROXY_FIX = (
    MIRROR
    + """
from werkzeug.middleware.proxy_fix import ProxyFix
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
"""
)


def told(run: Served, path: str = "/somewhere", **more: Any) -> dict[str, Any]:
    answer = run.get(path, **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def without_noise(environ: dict[str, str]) -> dict[str, str]:
    """Without what differs from connection to connection."""
    noise = {"HTTP_X_REQUEST_ID", "REMOTE_PORT", "PORTICO_MSEC", "CONTENT_LENGTH"}
    port = f" {environ['REMOTE_PORT']} "
    return {name: value.replace(port, " ") for name, value in environ.items() if name not in noise}


def test_no_header_a_client_sends_changes_what_the_app_sees(mirror: Served) -> None:
    plain, spoofed = told(mirror), told(mirror, headers=SPOOFED)
    assert without_noise(spoofed["environ"]) == without_noise(plain["environ"])
    assert "evil" not in str(spoofed)
    assert "6.6.6.6" not in str(spoofed)


def test_url_for_gives_the_real_scheme_and_host(mirror: Served) -> None:
    assert told(mirror)["url"] == f"{mirror.url}/x"


def test_client_address_is_the_client_s_and_not_empty(mirror: Served) -> None:
    assert told(mirror)["remote_addr"] == "127.0.0.1"
    assert told(mirror)["environ"]["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"


@pytest.mark.parametrize("mount", ["/", "/app"])
def test_an_app_with_its_own_proxy_fix_gets_the_same_answer(mount: str) -> None:
    seen = []
    for code in (MIRROR, PROXY_FIX):
        with served({"app.py": code}, "--mount", mount) as run:
            answer = told(run, mount.rstrip("/") + "/a/b", headers=SPOOFED)
            seen.append((answer["url"].replace(str(run.port), "PORT"), answer["remote_addr"], answer["scheme"],
                         answer["script_name"], answer["path_info"]))  # fmt: skip
    assert seen[0] == seen[1]


def test_a_declared_proxy_may_say_who_the_client_is() -> None:
    with served({"app.py": MIRROR}, "--behind", "127.0.0.0/8", "--behind", "10.0.0.0/8") as run:
        headers = {"X-Forwarded-For": "6.6.6.6, 8.8.8.8, 10.1.1.1", "X-Forwarded-Proto": "https"}
        answer = run.get("/somewhere", headers=headers)
        seen = answer.json()
        assert (seen["remote_addr"], seen["scheme"]) == ("8.8.8.8", "https")
        assert seen["url"] == f"https://127.0.0.1:{run.port}/x"
        assert run.line(answer)["client"] == "8.8.8.8"


def test_a_proxy_that_was_not_declared_may_not() -> None:
    with served({"app.py": MIRROR}, "--behind", "10.0.0.0/8") as run:
        seen = told(run, headers={"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "https"})
        assert (seen["remote_addr"], seen["scheme"]) == ("127.0.0.1", "http")


@pytest.mark.of_nginx  # httpd answers 421
def test_a_strange_host_is_closed_without_an_answer(shop: Served) -> None:
    for host in ("evil.example", "127.0.0.1", "shop.example.evil.example", "xshop.example"):
        assert shop.raw(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()) == b""
    assert shop.raw(b"GET / HTTP/1.0\r\n\r\n") == b""


def test_declared_hosts_are_answered(shop: Served) -> None:
    for host in ("shop.example", "SHOP.example", "a.wild.example", f"shop.example:{shop.port}"):
        answer = shop.get("/", headers={"Host": host})
        assert answer.status_code == 200
        assert answer.json()["host"] == host.lower()


def test_a_request_line_and_a_host_header_that_disagree_cannot_split_the_two(shop: Served) -> None:
    head = b"GET http://shop.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert b"evil" not in shop.raw(head)


def test_the_health_path_answers_by_address_and_with_one_word(shop: Served) -> None:
    """The app's page on a strange Host would undo the 444; a POST there would run a view past every limit."""
    for method in ("GET", "POST"):
        headers = {"Host": "10.9.8.7", "Cookie": "a=b", "Authorization": "Bearer x"}
        answer = shop.client.request(method, shop.url + "/-/health?x=1", headers=headers, content=b"body" * 9)
        assert (answer.status_code, answer.text.strip()) == (200, "ok")
    asked = shop.raw(b"GET /-/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert asked.partition(b"\r\n\r\n")[2].strip() == b"ok"
    if not shop.is_apache:  # its location for the question to the app; httpd asks nothing
        assert shop.get("/-/health/app", headers={"Host": "shop.example"}).text == ""


ASKED = """
    with open("asked.tmp", "w") as file:
        json.dump(told, file)
    os.replace("asked.tmp", "asked.txt")
    return "fine"
"""
ASKED_WSGI = f"""
import json, os
from flask import Flask, request
app = Flask(__name__)

@app.route("/env", methods=["GET", "POST"])
def env():
    told = {{name: value for name, value in request.environ.items() if isinstance(value, str)}}
{ASKED}
"""
ASKED_ASGI = f"""
import json, os
from fastapi import FastAPI, Request
app = FastAPI()

@app.api_route("/env", methods=["GET", "POST"])
async def env(request: Request):
    told = {{"HTTP_" + name.upper().replace("-", "_"): value for name, value in request.headers.items()}}
    told |= {{"REQUEST_METHOD": request.method, "QUERY_STRING": request.url.query}}
    told["wsgi.input"] = (await request.body()).decode()
{ASKED}
"""


@pytest.mark.parametrize("domain", ["shop.example", ""])
@pytest.mark.parametrize(
    ("code", "nginx", "words"),
    [
        (ASKED_WSGI, "embedded", ()),
        (ASKED_WSGI, "system", ("--workers-server", "uwsgi")),
        (ASKED_ASGI, "embedded", ()),
        (ASKED_ASGI, "system", ("--behind", "127.0.0.1")),
    ],
)
def test_health_asks_the_app_in_portico_s_own_words(
    code: str, nginx: str, words: tuple[str, ...], domain: str
) -> None:
    more = ("--domain", domain) if domain else ()
    own = {
        "Cookie": "a=evil", "Host": "evil.example", "Authorization": "Bearer evil", "X-Own": "evil",
        "Accept": "evil/*", "User-Agent": "evil", "Range": "bytes=0-evil", "If-None-Match": '"evil"',
        "Remote-User": "evil", "X-Portico-Trace": "/evil", "Upgrade": "websocket", "Connection": "Upgrade, evil",
        "Content-Type": "text/evil", "Content-Language": "evil", "traceparent": f"00-{'e' * 32}-{'e' * 16}-01",
    }  # fmt: skip
    with served({"app.py": code}, "--health", "/env?x=1", "--nginx", nginx, *words, *more) as run:
        (run.directory / "asked.txt").unlink()
        answer = run.client.post(run.url + "/-/health?y=evil", content=b"evil", headers=own)
        assert (answer.status_code, answer.text.strip()) == (200, "ok")
        if run.is_apache:  # it says whether a release is live
            assert not (run.directory / "asked.txt").exists()
            return
        until_there(run.directory / "asked.txt")
        asked = json.loads((run.directory / "asked.txt").read_text())
        assert "evil" not in str(asked), asked
        assert "e" * 16 not in str(asked), asked
        assert (asked["REQUEST_METHOD"], asked["QUERY_STRING"]) == ("GET", "x=1")
        assert asked["HTTP_HOST"] == (domain or f"127.0.0.1:{run.port}")
        assert "websocket" not in str(asked)


def test_a_request_without_a_host_gets_a_usable_url(mirror: Served) -> None:
    answer = mirror.raw(b"GET /x HTTP/1.0\r\n\r\n")
    assert f'"http://localhost:{mirror.port}/x"'.encode() in answer.replace(b" ", b"")


def test_only_a_whole_handshake_is_a_websocket(mirror: Served) -> None:
    """Upgrade alone would move any request to the hour that a WebSocket may be silent."""
    assert mirror.get("/slow?seconds=9", headers={"Upgrade": "websocket"}).status_code == 504
