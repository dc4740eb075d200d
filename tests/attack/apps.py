"""The apps that are attacked: each answers with what it was told, and writes down that it was asked."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import socketserver
import struct
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple


class Call(NamedTuple):
    """One request that an app read: `body` is a digest, `headers` have the names of CGI without `HTTP_`."""

    uri: str
    id: str
    method: str
    client: str
    length: int
    body: str
    headers: dict[str, str]


def call(uri: str, method: str, told: dict[str, str], body: bytes) -> Call:
    """What was read, with the client that the gateway names."""
    headers = {name[5:]: value for name, value in told.items() if name.startswith("HTTP_")}
    client = told.get("REMOTE_ADDR") or headers.get("X_REAL_IP", "")
    digest = hashlib.sha256(body).hexdigest()
    return Call(uri, headers.get("X_REQUEST_ID", ""), method, client, len(body), digest, headers)


def document(told: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Status and headers of a page that answers conditions, ranges and negotiation, as naively as apps do."""
    headers = {"ETag": '"one"', "Last-Modified": "Thu, 01 Jan 2015 00:00:00 GMT", "Accept-Ranges": "bytes"}
    if "HTTP_ORIGIN" in told:
        headers["Access-Control-Allow-Origin"] = told["HTTP_ORIGIN"]
    if "evil" in told.get("HTTP_ACCEPT_ENCODING", ""):
        headers["Content-Encoding"] = "evil"
    answers = {"HTTP_IF_MATCH": 412, "HTTP_IF_UNMODIFIED_SINCE": 412, "HTTP_IF_NONE_MATCH": 304}
    answers |= {"HTTP_IF_MODIFIED_SINCE": 304, "HTTP_RANGE": 416, "HTTP_X_HTTP_METHOD_OVERRIDE": 405}
    answers |= {"HTTP_X_BROKEN": 400, "HTTP_X_FAILING": 500}
    status = next((answers[name] for name in answers if told.get(name)), 200)
    if status == 304 and told.get("HTTP_IF_NONE_MATCH") == '"one"':
        return 304, headers
    return (406 if "evil" in told.get("HTTP_ACCEPT", "") else status), headers


_SEEN = (
    "import hashlib, io, json, os\nfrom typing import NamedTuple\n"
    + "\n".join(inspect.getsource(one) for one in (document, Call, call))
    + '''
def saw(one):
    """One line for each call of the app, in one write."""
    file = os.open("seen.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, json.dumps(one).encode() + b"\\n")
    os.close(file)

def kept(path):
    if path.startswith("/public/old/"):
        return "public, max-age=1, stale-while-revalidate=600"
    return "public, max-age=600" if path.startswith("/public/") else "no-store"
'''
)
WSGI = (
    _SEEN
    + """
from flask import Flask, Response, request

app = Flask(__name__)

class Recorder:
    def __init__(self, inner):
        self.inner = inner

    def __call__(self, environ, start):
        told = {name: value for name, value in environ.items() if isinstance(value, str)}
        body = environ["wsgi.input"].read()
        saw(call(told["REQUEST_URI"], told["REQUEST_METHOD"], told, body))
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return self.inner(environ, start)

app.wsgi_app = Recorder(app.wsgi_app)

@app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
@app.route("/<path:path>", methods=["GET", "POST"])
def mirror(path):
    told = {name: value for name, value in request.environ.items() if isinstance(value, str)}
    answer = json.dumps({"told": told, "length": len(request.get_data())})
    status, more = document(told) if "/doc" in told["PATH_INFO"] else (200, {})
    head = {"Cache-Control": kept(told["PATH_INFO"])} | more
    return Response(answer, status=status, mimetype="application/json", headers=head)
"""
)
ASGI = (
    _SEEN
    + """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

def told_of(scope):
    told = {"HTTP_" + name.decode("latin-1").upper().replace("-", "_"): value.decode("latin-1")
            for name, value in scope["headers"]}
    return told | {"REMOTE_ADDR": scope["client"][0]}

def uri_of(scope):
    query = scope["query_string"].decode("latin-1")
    return scope["raw_path"].decode("latin-1") + ("?" + query if query else "")

class Recorder:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        saw(call(uri_of(scope), scope["method"], told_of(scope), body))
        parts = [{"type": "http.request", "body": body, "more_body": False}]
        async def again():
            return parts.pop() if parts else await receive()
        await self.app(scope, again, send)

async def mirror(request):
    scope, body = request.scope, await request.body()
    told = told_of(scope)
    told |= {"client": scope["client"][0], "scheme": scope["scheme"], "root_path": scope["root_path"],
             "path": scope["path"], "method": scope["method"]}
    answer = json.dumps({"told": told, "length": len(body)})
    status, more = document(told) if "/doc" in scope["path"] else (200, {})
    head = {"Cache-Control": kept(scope["path"])} | more
    return Response("" if status == 304 else answer, status, media_type="application/json", headers=head)

app = Starlette(routes=[
    Mount("/static", StaticFiles(directory="static")),
    Route("/{path:path}", mirror, methods=["GET", "POST"]),
], middleware=[Middleware(Recorder)])
"""
)


NO_BODY_OF_GET, READS_CHUNKS, CALLS_TWICE, ALTERS = "no body of GET", "reads chunks", "calls twice", "alters"
FAULTS = (NO_BODY_OF_GET, READS_CHUNKS, CALLS_TWICE, ALTERS)
"""What origins do wrong: a body that is not read is the next request, and so is what stands behind a last chunk."""


class Mirror:
    """A server elsewhere; `seen` holds each request that it read, `fault` what it does wrong on purpose."""

    def __init__(self) -> None:
        self.seen: list[Call] = []
        self.fault = ""

    def answer(
        self, uri: str, method: str, told: dict[str, str], read: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        read = read.strip() if self.fault == ALTERS else read
        self.seen += [call(uri, method, told, read)] * (2 if self.fault == CALLS_TWICE else 1)
        body = json.dumps({"told": told, "length": len(read)}).encode()
        kept = "public, max-age=600" if uri.startswith("/public/") else "no-store"
        kept = "public, max-age=1, stale-while-revalidate=600" if uri.startswith("/public/old/") else kept
        status, more = document(told) if "/doc" in uri else (200, {})
        head = {"Content-Type": "application/json", "Cache-Control": kept} | more
        return status, head, b"" if status == 304 else body


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens on loopback."""

    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that has left is no finding."""


class HttpHandler(BaseHTTPRequestHandler):
    """HTTP as Python's own server reads it: naive on purpose, and it keeps connections.

    But for the request line, which Python splits at every blank of Unicode.
    """

    mirror: Mirror
    protocol_version = "HTTP/1.1"

    def parse_request(self) -> bool:
        line: bytes = self.raw_requestline  # type: ignore[has-type]
        words = line.rstrip(b"\r\n").split(b" ")
        self.target = words[1].decode("latin-1") if len(words) > 1 else ""
        self.raw_requestline = re.sub(rb"[^\x00-\x7f]", b"?", line)
        return super().parse_request()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._handle_any
        raise AttributeError(name)

    def _handle_any(self) -> None:
        told = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in self.headers.items()}
        told["method"] = self.command
        status, head, text = self.mirror.answer(self.target, self.command, told, self._body())
        self.send_response(status)
        for name, value in (head | {"Content-Length": str(len(text))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)
        if self.mirror.fault in (NO_BODY_OF_GET, READS_CHUNKS):
            self.close_connection = False  # whatever the gateway said

    def _body(self) -> bytes:
        if self.mirror.fault == NO_BODY_OF_GET and self.command == "GET":
            return b""
        length = int(self.headers.get("Content-Length") or 0)
        is_chunked = self.headers.get("Content-Encoding") == "chunked" and length > 20  # room for two lines
        if self.mirror.fault == READS_CHUNKS and is_chunked:
            return self.rfile.readline() + self.rfile.readline()
        return self.rfile.read(length)

    def send_error(self, code: int, *more: Any) -> None:
        """What it cannot read is recorded, too: a gateway passes on nothing of that kind."""
        self.mirror.seen.append(call(f"(unreadable: {code})", "", {}, b""))
        super().send_error(code, *more)

    def log_message(self, *_: Any) -> None:
        pass


def http(mirror: Mirror) -> type[BaseHTTPRequestHandler]:
    """A server elsewhere that speaks HTTP."""
    return type("Handler", (HttpHandler,), {"mirror": mirror})


def fastcgi(mirror: Mirror) -> type[socketserver.BaseRequestHandler]:
    """One FastCGI request a connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            params, body, stream = b"", b"", self.request.makefile("rb")
            while head := stream.read(8):
                _, kind, _, size, padding = struct.unpack(">BBHHBx", head)
                content = stream.read(size + padding)[:size]
                params += content if kind == 4 else b""
                body += content if kind == 5 else b""
                if kind == 5 and not size:
                    break
            told = dict(_pairs(params))
            if not told:
                return
            uri, method = told.get("REQUEST_URI", ""), told.get("REQUEST_METHOD", "")
            status, more, answer = mirror.answer(uri, method, told, body)
            more = {"Status": str(status)} | more
            text = "".join(f"{name}: {value}\r\n" for name, value in more.items()).encode()
            _records(self.request, text + b"\r\n" + answer)

    return Handler


def _records(connection: Any, out: bytes) -> None:
    pieces = [out[at : at + 60_000] for at in range(0, len(out), 60_000)]
    for kind, content in [(6, piece) for piece in pieces] + [(6, b""), (3, bytes(8))]:
        connection.sendall(struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content)


def _pairs(params: bytes) -> Iterable[tuple[str, str]]:
    at = 0
    while at < len(params):
        sizes = []
        for _ in range(2):
            wide = params[at] & 0x80
            sizes.append(int.from_bytes(params[at : at + 4], "big") & 0x7FFFFFFF if wide else params[at])
            at += 4 if wide else 1
        name, value = params[at : at + sizes[0]], params[at + sizes[0] : at + sum(sizes)]
        at += sum(sizes)
        yield name.decode("latin-1"), value.decode("latin-1")


def seen(directory: Path) -> list[Call]:
    """What an app of this module wrote down."""
    file = directory / "seen.txt"
    return [Call(*json.loads(line)) for line in file.read_bytes().splitlines()] if file.exists() else []
