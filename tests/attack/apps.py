"""The apps that are attacked: each answers with what it was told, and writes down that it was asked."""

from __future__ import annotations

import inspect
import json
import socketserver
import struct
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


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
    inspect.getsource(document)
    + '''
import json, os

def saw(uri, identity):
    """One line for each call of the app, in one write."""
    line = json.dumps([uri, identity]) + "\\n"
    file = os.open("seen.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, line.encode())
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

@app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
@app.route("/<path:path>", methods=["GET", "POST"])
def mirror(path):
    told = {name: value for name, value in request.environ.items() if isinstance(value, str)}
    saw(told["REQUEST_URI"], told.get("HTTP_X_REQUEST_ID", ""))
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
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

async def mirror(request):
    scope, body = request.scope, await request.body()
    told = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in request.headers.items()}
    query = scope["query_string"].decode("latin-1")
    uri = scope["raw_path"].decode("latin-1") + ("?" + query if query else "")
    saw(uri, told.get("HTTP_X_REQUEST_ID", ""))
    told |= {"client": scope["client"][0], "scheme": scope["scheme"], "root_path": scope["root_path"],
             "path": scope["path"], "method": scope["method"]}
    answer = json.dumps({"told": told, "length": len(body)})
    status, more = document(told) if "/doc" in scope["path"] else (200, {})
    head = {"Cache-Control": kept(scope["path"])} | more
    return Response("" if status == 304 else answer, status, media_type="application/json", headers=head)

app = Starlette(routes=[
    Mount("/static", StaticFiles(directory="static")),
    Route("/{path:path}", mirror, methods=["GET", "POST"]),
])
"""
)


class Mirror:
    """A server elsewhere; `seen` holds [path, request id] of each request it read."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def answer(self, uri: str, told: dict[str, str], length: int) -> tuple[int, dict[str, str], bytes]:
        self.seen.append([uri, told.get("HTTP_X_REQUEST_ID", "")])
        body = json.dumps({"told": told, "length": length}).encode()
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


def http(mirror: Mirror) -> type[BaseHTTPRequestHandler]:
    """HTTP as Python's own server reads it: naive on purpose, and it keeps connections."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in self.headers.items()}
            status, head, text = mirror.answer(self.path, told | {"method": self.command}, len(body))
            self.send_response(status)
            for name, value in (head | {"Content-Length": str(len(text))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_HEAD = do_OPTIONS = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def fastcgi(mirror: Mirror) -> type[socketserver.BaseRequestHandler]:
    """One FastCGI request a connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            params, length, stream = b"", 0, self.request.makefile("rb")
            while head := stream.read(8):
                _, kind, _, size, padding = struct.unpack(">BBHHBx", head)
                content = stream.read(size + padding)[:size]
                params += content if kind == 4 else b""
                length += len(content) if kind == 5 else 0
                if kind == 5 and not size:
                    break
            told = dict(_pairs(params))
            if not told:
                return
            status, more, body = mirror.answer(told.get("REQUEST_URI", ""), told, length)
            more = {"Status": str(status)} | more
            text = "".join(f"{name}: {value}\r\n" for name, value in more.items()).encode()
            _records(self.request, text + b"\r\n" + body)

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


def seen(directory: Path) -> list[list[str]]:
    """What an app of this module wrote down."""
    file = directory / "seen.txt"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
