"""Access that another party decides: a view of the app, or a service beside it; each kind of app and nginx."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from portico.site.access.sha512_crypt import hashed
from tests.support import Served, free_port, portico, served

pytestmark = pytest.mark.of_nginx  # httpd asks nobody who may come

APP = """
import time
from flask import Flask, abort, jsonify, redirect, request
from portico import edge

app = Flask(__name__)
NAMES = ("HTTP_REMOTE_USER", "HTTP_X_AUTH_REQUEST_EMAIL", "HTTP_X_ORIGINAL_URI", "PORTICO_DEADLINE", "REQUEST_METHOD")


@app.route("/")
@app.route("/login")
@app.route("/private/")
@app.route("/private/<path:rest>", methods=["GET", "POST"])
@app.route("/service/<path:rest>", methods=["GET", "POST"])
@app.route("/down/<path:rest>")
@app.route("/api/<path:rest>")
@app.route("/both/<path:rest>")
def anywhere(rest=""):
    told = {name: request.environ[name] for name in NAMES if name in request.environ}
    return jsonify(told | {"body": request.get_data(as_text=True)})


@app.route("/checks/session")
@edge.internal
def check_session():
    assert request.method == "GET" and not request.get_data() and "If-None-Match" not in request.headers
    user = request.cookies.get("user")
    if user == "banned":
        abort(403)
    if user == "broken":
        raise RuntimeError("the view fails")
    if user == "lost":
        return redirect("/login")
    if user is None:
        abort(401)
    return "", 204, {"Remote-User": user, "X-Asked": request.headers["X-Original-Uri"]}


@app.route("/private/slow")
@edge.timeout("77s")
@edge.private
def slow():
    return anywhere()


@app.route("/private/kept")
@edge.cache("60s")
def kept():
    return "kept for " + request.headers.get("Remote-User", "nobody")


@app.route("/mine/<int:number>")
@edge.auth("check_session")
def mine(number):
    return f"mine {number}"
"""
TOML = """
app = "shop:app"

[access."/private"]
auth = "check_session"
sign_in = "/login?next="

[access."/api"]
auth = "/checks/session"

[access."/api/service"]
auth = "http://127.0.0.1:{service}/verify"

[access."/both"]
auth = "/checks/session"
users = "staff.users"

[access."/static/private"]
auth = "check_session"

[access."/service"]
auth = "http://127.0.0.1:{service}/verify?x=1"
sign_in = "https://auth.example/?rd="

[access."/down"]
auth = "http://127.0.0.1:{closed}/verify"
"""


class Service(BaseHTTPRequestHandler):
    """Lets whoever has a token come."""

    def do_GET(self) -> None:
        asked = dict(self.headers.items())
        self.server.seen.append((self.path, asked))  # type: ignore[attr-defined]
        token = asked.get("Authorization", "")
        self.send_response(200 if token == "Bearer good" else 401)
        self.send_header("X-Auth-Request-Email", "anna@shop.example")
        self.send_header("Remote-User", "anna")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def service() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        server.seen = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module", params=["embedded", "system"])
def site(
    request: pytest.FixtureRequest, service: ThreadingHTTPServer, _needs_nginx: None
) -> Iterator[Served]:
    toml = TOML.format(service=service.server_port, closed=free_port())
    files = {
        "shop.py": APP,
        "portico.toml": toml,
        "static/private/a.txt": "private",
        "static/app.css": "body {}",
    }
    files["staff.users"] = f"anna:{hashed('correct horse')}\n"
    with served(files, "--nginx", str(request.param)) as run:
        yield run


def asked(site: Served, path: str, user: str = "", method: str = "GET", **more: str) -> tuple[int, str]:
    cookie = {"Cookie": f"user={user}"} if user else {}
    answer = site.client.request(
        method, f"{site.url}{path}", headers={**cookie, **more}, content=more.pop("body", "")
    )
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    "path", ["/private/x", "//private/x", "/api/x", "/static/private/a.txt", "/mine/3", "//mine/3"]
)
def test_a_view_of_the_app_decides(site: Served, path: str) -> None:
    found = {user: asked(site, path, user)[0] for user in ("", "anna", "banned", "broken", "lost")}
    banned = 404 if path.startswith("/static") else 403
    assert found == {"": 401, "anna": 200, "banned": banned, "broken": 500, "lost": 401}


def test_what_is_open_stays_open(site: Served) -> None:
    assert asked(site, "/")[0] == asked(site, "/login")[0] == asked(site, "/static/app.css")[0] == 200
    assert asked(site, "/checks/session", "anna")[0] == 404


def test_the_app_is_told_who_came_and_nothing_that_a_client_says(site: Served) -> None:
    forged = {
        "Remote-User": "root",
        "X-Auth-Request-Email": "root@shop.example",
        "X-Original-URI": "/elsewhere",
    }
    told = json.loads(asked(site, "/private/x?a=1", "anna", **forged)[1])
    assert told == {"HTTP_REMOTE_USER": "anna", "REQUEST_METHOD": "GET", "body": ""}
    assert json.loads(asked(site, "/", "anna", **forged)[1]) == {"REQUEST_METHOD": "GET", "body": ""}


def test_a_body_reaches_the_view_and_not_the_question(site: Served) -> None:
    told = site.client.post(
        f"{site.url}/private/x", headers={"Cookie": "user=anna"}, content=b"x" * 50_000
    ).json()
    assert (told["body"], told["REQUEST_METHOD"]) == ("x" * 50_000, "POST")


def test_a_route_keeps_its_settings_beside_the_question(site: Served) -> None:
    """A subrequest shares the variables of its request."""
    answer = site.get("/private/slow", headers={"Cookie": "user=anna", "If-None-Match": '"x"'})
    assert answer.json()["PORTICO_DEADLINE"] == "78"
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_nothing_is_kept_for_others(site: Served) -> None:
    kept = [asked(site, "/private/kept", user) for user in ("anna", "bert", "")]
    assert kept[:2] == [(200, "kept for anna"), (200, "kept for bert")]
    assert kept[2][0] == 401
    answer = site.client.get(f"{site.url}/private/kept", headers={"Cookie": "user=anna"})
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_browser_is_sent_to_sign_in_and_a_program_is_told(site: Served) -> None:
    page = site.get("/private/x?a=1", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Location"]) == (302, "/login?next=/private/x?a=1")
    assert page.headers["Cache-Control"] == "no-store"
    assert site.get("/private/x", headers={"Accept": "application/json"}).status_code == 401
    assert site.client.post(f"{site.url}/private/x", headers={"Accept": "text/html"}).status_code == 401
    assert site.get("/api/x", headers={"Accept": "text/html"}).status_code == 401
    elsewhere = site.get("/service/x?a=1", headers={"Accept": "text/html"})
    assert elsewhere.headers["Location"] == f"https://auth.example/?rd={site.url}/service/x?a=1"


def test_who_is_asked_for_two_things_needs_both(site: Served) -> None:
    right, wrong, user = ("anna", "correct horse"), ("anna", "x"), {"Cookie": "user=anna"}
    assert site.get("/both/x", auth=right, headers=user).status_code == 200
    found = [site.get("/both/x", headers=user), site.get("/both/x", auth=wrong, headers=user)]
    found += [site.get("/both/x", auth=right)]
    assert [answer.status_code for answer in found] == [401, 401, 401]


def test_a_service_decides(site: Served, service: ThreadingHTTPServer) -> None:
    forged = {"Remote-User": "root", "X-Forwarded-Uri": "/public", "X-Forwarded-For": "10.0.0.1"}
    answer = site.get("/service/x?a=1", headers={"Authorization": "Bearer good", **forged})
    told = answer.json()
    assert (told["HTTP_REMOTE_USER"], told["HTTP_X_AUTH_REQUEST_EMAIL"]) == ("anna", "anna@shop.example")
    path, seen = service.seen[-1]  # type: ignore[attr-defined]
    assert path == "/verify?x=1"
    assert seen["X-Original-URL"] == f"{site.url}/service/x?a=1"
    assert (seen["X-Forwarded-Uri"], seen["X-Forwarded-For"]) == ("/service/x?a=1", "127.0.0.1")
    assert (seen["X-Original-Method"], "Remote-User" in seen) == ("GET", False)
    assert site.get("/service/x", headers={"Authorization": "Bearer bad"}).status_code == 401


def test_a_service_that_is_down_lets_nobody_come(site: Served) -> None:
    answer = site.get("/down/x")
    assert answer.status_code == 500
    assert site.line(answer)["refused_by"] == "auth"


def test_two_that_would_have_to_decide_let_nobody_come(site: Served) -> None:
    """Some app takes /api/SERVICE for /api/service, another for a path of /api alone."""
    asks = {"Cookie": "user=anna", "Authorization": "Bearer good"}
    assert site.get("/api/service/x", headers=asks).status_code == 200
    answer = site.get("/api/SERVICE/x", headers=asks)
    assert (answer.status_code, site.line(answer)["refused_by"]) == (403, "auth")


def test_the_line_says_who_refused(site: Served) -> None:
    answer = site.get("/private/x", headers={"Accept": "application/json"})
    assert json.loads(answer.text)["error"]["status"] == 401
    assert site.line(answer)["refused_by"] == "auth"
    assert site.line(site.get("/private/x", headers={"Cookie": "user=anna"}))["refused_by"] == ""


def test_nobody_asks_the_question_from_outside(site: Served) -> None:
    assert [asked(site, path, "anna")[0] for path in ("/-/access", "/-/access/1")] == [404, 404]


def test_a_websocket_and_a_closed_site_ask_too(site: Served) -> None:
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert site.get("/api/x", headers=handshake).status_code == 401
    assert portico("maintenance", "on", "--allow", "127.0.0.1", cwd=site.directory).returncode == 0
    assert [asked(site, "/api/x", user)[0] for user in ("", "anna")] == [401, 200]
    assert portico("maintenance", "off", cwd=site.directory).returncode == 0


ASGI = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def page(request):
    names = ("remote-user", "authorization")
    told = {name: request.headers[name] for name in names if name in request.headers}
    return JSONResponse(told if request.method == "POST" else {**told, "path": request.scope["path"]})


async def check(request):
    user = request.cookies.get("user")
    assert request.method == "GET" and not await request.body()
    return Response(status_code=204, headers={"Remote-User": user}) if user else Response(status_code=401)


app = Starlette(routes=[Route("/check", check), Route("/{rest:path}", page, methods=["GET", "POST"])])
"""


def test_an_asgi_app_is_asked_and_told_too_and_gets_the_path_that_nginx_has_judged() -> None:
    toml = 'app = "shop:app"\n[access."/private"]\nauth = "/check"\n'
    with served({"shop.py": ASGI, "portico.toml": toml}) as run:
        assert asked(run, "/private/x")[0] == 401
        told = run.client.post(
            f"{run.url}/private/x",
            headers={"Cookie": "user=anna", "Remote-User": "root"},
            content=b"x" * 9000,
        )
        assert told.json() == {"remote-user": "anna"}
        assert run.get("/open", headers={"Remote-User": "root"}).json() == {"path": "/open"}
        for path, seen in (
            ("/private/../private/x", ""),
            ("/x/../%70rivate/x", ""),
            ("/x/..;/private/x", "/x/..;/private/x"),
            ("/x/..%5cprivate/x", "/x/..\\private/x"),
            ("/x\\..\\private/x", "/x\\..\\private/x"),
            ("/open/../x#/../private", "/x"),
        ):
            past = f"GET {path} HTTP/1.1\r\nHost: {run.url[7:]}\r\nConnection: close\r\n\r\n"
            head, _, body = run.raw(past.encode()).partition(b"\r\n\r\n")
            assert (head.split()[1] == b"401") == (not seen), path
            assert not seen or json.loads(body)["path"] == seen
