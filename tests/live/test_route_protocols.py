"""A rule whose target is a server of another protocol: uWSGI itself answers by uwsgi and by FastCGI."""

from __future__ import annotations

import http.client
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from portico.site.access.sha512_crypt import hashed
from tests.support import Served, end, free_port, private_directory, start, until_ready, write_files
from tests.support.process import running

APP = """
import json

def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    said = {name: value for name, value in environ.items() if isinstance(value, str)}
    if environ["PATH_INFO"].endswith("/inside"):
        start_response("200 OK", [("Location", "/f/secret/x"), ("X-Accel-Redirect", "/f/secret/x")])
        return [b"kept"]
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
path = "/fs/"
to = "fastcgi://unix:{home}/f.sock"
[[route]]
path = "/us/"
to = "uwsgi://unix:{home}/u.sock"
[[route]]
to = "404"
[access."/f/secret"]
deny = ["127.0.0.0/8"]
[access."/f/closed"]
users = "some.users"
[access."/u/closed"]
users = "some.users"
"""
USERS = f"bob:{hashed('open sesame')}\n"
FORGED = {
    "Proxy": "http://evil.example", "X-Forwarded-For": "192.0.2.6", "X-Forwarded-Host": "evil.example",
    "X-Real-IP": "192.0.2.6", "X-Forwarded-Proto": "https", "X-Mirrored": "1", "X-Portico-Proxy": "1",
    "X-Script-Name": "/evil", "Script-Name": "/evil", "Remote-User": "root", "Remote-Addr": "192.0.2.6",
}  # fmt: skip


@pytest.fixture(scope="module", params=["embedded", "system", "apache"])
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    ports = {"fastcgi": free_port(), "uwsgi": free_port(), "gone": free_port()}
    text = TOML
    for name, port in ports.items():
        text = text.replace(f"{{{name}}}", str(port))
    with private_directory() as home:
        text = text.replace("{home}", str(home))
        write_files(home, {"server/app.py": APP, "site/portico.toml": text, "site/some.users": USERS})
        words = [
            str(Path(sys.executable).parent / "uwsgi"), "--wsgi-file", str(home / "server/app.py"),
            "--fastcgi-socket", f"127.0.0.1:{ports['fastcgi']}", "--uwsgi-socket", f"127.0.0.1:{ports['uwsgi']}",
            "--fastcgi-socket", str(home / "f.sock"), "--uwsgi-socket", str(home / "u.sock"), "--chmod-socket=666",
            "--master", "--die-on-term", "--buffer-size", "65535",
        ]  # fmt: skip
        with running(words):
            is_apache = request.param == "apache"
            run = start(
                home / "site", *(["--gateway", "apache"] if is_apache else ["--nginx", request.param])
            )
            try:
                until_ready(run, 120)
                yield run
            finally:
                end(run)


@pytest.mark.parametrize("path", ["/f", "/u", "/fs", "/us"])
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


@pytest.mark.parametrize("path", ["/f", "/u"])
@pytest.mark.parametrize(
    ("sent", "decoded"),
    [("/a%2Fb%3Fc%25", "/a/b?c%"), ("/", "/"), ("/a//b;c", "/a//b;c"), ("/%E4%0A", "/\xe4\n")],
)
def test_the_path_is_the_client_s_byte_for_byte(site: Served, path: str, sent: str, decoded: str) -> None:
    told = asked(site, f"{path}{sent}?q=%2F")["environ"]
    if site.is_apache or "//" not in sent:
        assert (told["SCRIPT_NAME"], told["PATH_INFO"]) == ("", path + decoded)
    assert (told["REQUEST_URI"], told["QUERY_STRING"]) == (f"{path}{sent}?q=%2F", "q=%2F")


@pytest.mark.parametrize("path", ["/f", "/u"])
def test_nothing_of_a_client_s_names_a_file_or_another_host(site: Served, path: str) -> None:
    """PHP runs SCRIPT_FILENAME; an absolute request line names a host of its own."""
    answer = asked(site, f"http://evil.example{path}/x.php", "Host: evil.example", "X_Real_IP: 192.0.2.6")
    if not answer:
        return  # refused, as every host that passes for another is
    told = answer["environ"]
    assert not {"SCRIPT_FILENAME", "PATH_TRANSLATED", "SCRIPT_URI"} & set(told) or path == "/u"
    assert (told["SCRIPT_NAME"], told["PATH_INFO"], told["REQUEST_URI"]) == (
        "",
        f"{path}/x.php",
        f"{path}/x.php",
    )
    assert "192.0.2.6" not in json.dumps(told)


@pytest.mark.parametrize("path", ["/f", "/u"])
def test_the_server_checks_passwords_itself(site: Served, path: str) -> None:
    told = asked(site, f"{path}/x", "Authorization: Basic YTpi")["environ"]
    assert told["HTTP_AUTHORIZATION"] == "Basic YTpi"
    assert not told.get("REMOTE_USER")


@pytest.mark.parametrize("path", ["/f", "/u"])
def test_the_server_is_told_who_it_is_but_no_password_that_the_gateway_asked_for(
    site: Served, path: str
) -> None:
    url = f"{site.url}{path}/closed/x"
    assert httpx.get(url, headers={"Remote-User": "bob"}, timeout=60).status_code == 401
    assert httpx.get(f"{site.url}{path}/%63losed/x", timeout=60).status_code == 401
    told = httpx.get(url, auth=("bob", "open sesame"), timeout=60).json()["environ"]
    assert told["REMOTE_USER"] == "bob"
    assert "HTTP_AUTHORIZATION" not in told


@pytest.mark.parametrize("path", ["/f", "/u"])
def test_an_answer_leads_to_no_other_path(site: Served, path: str) -> None:
    answer = httpx.get(f"{site.url}{path}/inside", timeout=60)
    assert (answer.status_code, answer.text) == (200, "kept")


def asked(site: Served, target: str, *headers: str) -> dict[str, Any]:
    """What the server was told; nothing if the gateway refused."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as stream:
        host = [] if any(line.startswith("Host") for line in headers) else [f"Host: 127.0.0.1:{site.port}"]
        lines = [f"GET {target} HTTP/1.1", *host, *headers, "Connection: close", "", ""]
        stream.sendall("\r\n".join(lines).encode())
        answer = http.client.HTTPResponse(stream)
        answer.begin()
        body = answer.read()
    return json.loads(body) if answer.status == 200 else {}


@pytest.mark.parametrize("path", ["f", "u", "fs", "us"])
def test_a_body_arrives_whole(site: Served, path: str) -> None:
    answer = httpx.post(f"{site.url}/{path}/body", content=b"x" * (1 << 20), timeout=60)
    assert answer.json()["bytes"] == 1 << 20


def test_guards_and_failures_are_those_of_the_site(site: Served) -> None:
    assert httpx.get(f"{site.url}/f/secret/x", timeout=60).status_code == 403
    assert httpx.get(f"{site.url}/f/%73ecret/x", timeout=60).status_code == 403
    assert httpx.get(f"{site.url}/gone/x", timeout=60).status_code == (503 if site.is_apache else 502)
    away = httpx.get(f"{site.url}/f/away", timeout=60)
    assert (away.status_code, away.headers["location"]) == (302, "/f/there")
