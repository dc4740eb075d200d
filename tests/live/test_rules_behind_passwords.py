"""What a rule answers by itself, a redirect or a page, is for those who may come to its path."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from portico.site.access.sha512_crypt import hashed
from tests.support import GATEWAY, Served, end, private_directory, start, until_ready, write_files

TOML = """
[access."/"]
users = "everybody.users"
methods = ["GET"]
ANSWERS
[[route]]
path = "/api/"
to = "http://127.0.0.1:{port}"
[[route]]
to = "404"
"""
ANSWERS = """
[[route]]
path = "/old/"
to = "308 https://new.example/there"
[[route]]
path = "/gone"
to = "410 gone.html"
[[route]]
path = "/gone"
to = "200 gone.html"
header = { X-New = "1" }
"""
BOB = ("bob", "correct horse")


class Told(BaseHTTPRequestHandler):
    """The server of a rule: it says what it was told."""

    def do_GET(self) -> None:
        body = f"{self.headers.get('Authorization')} {self.headers.get('Remote-User')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its own name
        pass


@pytest.fixture(scope="module", params=["embedded", "system"])
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Told)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with private_directory() as home:
        # httpd would give such an answer before it asks for a password: an error at plan.
        toml = TOML.replace("ANSWERS", "" if os.environ.get(GATEWAY) else ANSWERS)
        toml = toml.replace("{port}", str(server.server_port))
        files = {"portico.toml": toml, "gone.html": "the page", "everybody.users": f"bob:{hashed(BOB[1])}\n"}
        write_files(home, files)
        run = start(home, "--nginx", request.param)
        try:
            until_ready(run, 120)
            yield run
        finally:
            end(run)
            server.shutdown()


@pytest.mark.of_nginx  # an error at plan over httpd
@pytest.mark.parametrize(
    ("path", "new", "status"),
    [
        ("/old/", "", 308),
        ("/old/x?y=1", "", 308),
        ("/gone", "", 410),
        ("/gone", "1", 200),
        ("/gone/x/", "", 410),
        ("/g%6fne//x", "1", 200),
    ],
)
def test_a_rule_answers_who_may_come(site: Served, path: str, new: str, status: int) -> None:
    headers = {"X-New": new} if new else {}
    stranger = site.get(path, headers=headers)
    assert stranger.status_code == 401
    assert "the page" not in stranger.text
    assert "new.example" not in f"{stranger.headers}"
    wrong = site.get(path, headers=headers, auth=("bob", "wrong"))
    assert wrong.status_code == 401
    known = site.get(path, headers=headers, auth=BOB)
    assert known.status_code == status
    assert known.headers.get("Location", "the page") in ("https://new.example/there", known.text.strip())


@pytest.mark.of_nginx  # an error at plan over httpd
@pytest.mark.parametrize("path", ["/old/", "/gone", "/gone/x/"])
def test_a_method_that_is_not_taken_is_405(site: Served, path: str) -> None:
    """No status of nginx's own use reaches a client."""
    assert site.client.post(f"{site.url}{path}", auth=BOB).status_code == 405


def test_a_server_learns_who_it_is_and_no_password(site: Served) -> None:
    assert site.get("/api/x").status_code == 401
    assert site.get("/api/x", auth=BOB).text == "None bob"
