"""Answers those who look on, over HTTP: the dashboard's files, its stream of events, the metrics. It takes no orders.

Only GET, one answer a connection: nginx stands before it, or one browser on loopback. Starlette would bring a server
and an event loop's worth of packages into a process that is to stay small; what is left to do here is this file.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import shutil
import urllib.parse
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from portico.errors import PorticoError
from portico.link import private
from portico.reading import Reader

HEAD_SECONDS = 10.0
GUESS_SECONDS = 1.0
"""A wrong password costs this long, one after the other: nobody tries many."""
MOST_OPEN = 64
"""Dashboards that are open at once."""
MOST_CONNECTIONS = 512
"""Whatever they want: those that guess at the password wait, and shall not take the place of who knows it."""
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("main", "flow", "charts", "lists", "tables", "walk", "words")
    },
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Source(Protocol):
    """Where what is shown comes from: `watch.live` in the same process, or the control socket of another."""

    def follow(self) -> AsyncGenerator[dict[str, Any], None]:
        """Everything, then what changes."""

    async def exposition(self) -> str:
        """The metrics as text."""

    async def trace(self, request_id: str) -> dict[str, Any] | None:
        """What is kept of a traced request."""


class Request(NamedTuple):
    """`headers` by lower-case name."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


class Response(NamedTuple):
    status: str
    type: str = "text/plain; charset=utf-8"
    body: bytes = b""
    headers: Mapping[str, str] = {}


Guard = Callable[[Request], Awaitable[Response | None]]
"""What is answered instead to who may not come in; None lets in."""


class Door:
    """One listening socket for people, or for Prometheus: `serves` are the paths that it has."""

    def __init__(self, source: Source, guard: Guard, *, metrics_only: bool = False) -> None:
        self._source, self._guard, self._metrics_only = source, guard, metrics_only
        self._connections = self._open = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte to its end."""
        self._connections += 1
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                request = await _read(reader)
            await self._reply(request, reader, writer)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone, or does not speak HTTP
        finally:
            self._connections -= 1
            writer.close()

    async def _reply(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        response = await self._refusal(request)
        if response is None and request.path == "/events" and not self._metrics_only:
            await self._stream(reader, writer)
            return
        try:
            response = response or await self._found(request)
        except PorticoError as error:
            response = Response("503 Service Unavailable", body=f"{error}\n".encode())
        writer.write(_head(response) + (b"" if request.method == "HEAD" else response.body))
        await writer.drain()

    async def _refusal(self, request: Request) -> Response | None:
        if request.method not in ("GET", "HEAD"):
            return Response("405 Method Not Allowed", headers={"Allow": "GET, HEAD"})
        if self._connections > MOST_CONNECTIONS:
            return Response("503 Service Unavailable", body=b"too many at once\n")
        if refused := await self._guard(request):
            return refused
        if request.path == "/events" and self._open >= MOST_OPEN:
            return Response("503 Service Unavailable", body=b"too many look on already\n")
        return None

    async def _found(self, request: Request) -> Response:
        path = request.path
        if path == "/metrics":
            text = await self._source.exposition()
            return Response("200 OK", "text/plain; version=0.0.4; charset=utf-8", text.encode())
        if path in _FILES and not self._metrics_only:
            name, kind = _FILES[path]
            body = (resources.files("portico.watch") / "dashboard" / name).read_bytes()
            return Response("200 OK", kind, body)
        if path == "/trace" and not self._metrics_only:
            name = dict(urllib.parse.parse_qsl(request.query)).get("id", "")
            if name.isalnum() and name.isascii() and (told := await self._source.trace(name)):
                return Response("200 OK", "application/json", json.dumps(told).encode())
        return Response("404 Not Found", body=b"nothing here\n")

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Server-sent events, until the reader has gone."""
        gone = asyncio.ensure_future(reader.read(1))
        self._open += 1
        try:
            async with aclosing(self._source.follow()) as items:
                writer.write(_event_head() + _event(await anext(items)))
                async for item in items:
                    writer.write(_event(item))
                    await writer.drain()
                    if gone.done():
                        return
        except (PorticoError, StopAsyncIteration) as error:
            writer.write(_head(Response("503 Service Unavailable", body=f"{error}\n".encode())))
        finally:
            self._open -= 1
            gone.cancel()


async def listen_unix(door: Door, path: str, group: str = "") -> asyncio.Server:
    """At a socket for nginx's workers, who come in by group. Raises OSError."""
    listener = private.bind(path)
    if group:
        shutil.chown(path, group=group)
    Path(path).chmod(0o660)
    return await asyncio.start_unix_server(
        door.answer, sock=listener, limit=1 << 14, backlog=MOST_CONNECTIONS
    )


def host_of(request: Request) -> str:
    """The Host without its port."""
    host = request.headers.get("host", "")
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


class Lock:
    """Lets in who knows the password; without one, whoever came by a name of this machine's own.

    A page elsewhere that points its name at this machine (DNS rebinding) comes under that name.
    """

    def __init__(
        self, password_file: Callable[[], str | None], reader: Callable[[], Reader] = Reader
    ) -> None:
        self._password_file = password_file
        """None: nobody comes in."""
        self._reader = reader
        self._turn = asyncio.Lock()

    async def __call__(self, request: Request) -> Response | None:
        file = self._password_file()
        if file is None:
            return Response("404 Not Found", body=b"nothing here\n")
        if not file:
            if host_of(request) in _LOOPBACK:
                return None
            return Response("421 Misdirected Request", body=b"ask for 127.0.0.1 or localhost\n")
        if _knows(request.headers.get("authorization", ""), _password(file, self._reader())):
            return None
        if "authorization" in request.headers:
            async with self._turn:
                await asyncio.sleep(GUESS_SECONDS)
        challenge = 'Basic realm="portico", charset="UTF-8"'
        return Response(
            "401 Unauthorized", body=b"a password, please\n", headers={"WWW-Authenticate": challenge}
        )


class Ticket:
    """Lets in the browser that was opened with the key, on this machine, at this port; it keeps it as a cookie."""

    def __init__(self, key: str, port: int) -> None:
        self._key, self._cookie = key, f"portico_dashboard_{port}"
        self._hosts = [f"{name}:{port}" for name in _LOOPBACK]

    async def __call__(self, request: Request) -> Response | None:
        if request.headers.get("host") not in self._hosts:
            return Response("421 Misdirected Request", body=b"ask for 127.0.0.1 or localhost\n")
        given = dict(urllib.parse.parse_qsl(request.query)).get("key", "")
        if self._is_key(given):
            cookie = f"{self._cookie}={self._key}; HttpOnly; SameSite=Strict; Path=/"
            return Response("303 See Other", headers={"Location": "/", "Set-Cookie": cookie})
        cookies = dict(
            pair.strip().partition("=")[::2] for pair in request.headers.get("cookie", "").split(";")
        )
        if self._is_key(cookies.get(self._cookie, "")):
            return None
        return Response("403 Forbidden", body=b"open the address that `portico dashboard` printed\n")

    def _is_key(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._key.encode())


async def everybody(_: Request) -> Response | None:
    """The guard of a door that stands on a private address."""
    return None


def _password(file: str, reader: Reader) -> str:
    try:
        return reader.text(file).partition("\n")[0].strip()
    except (OSError, ValueError):
        return ""


def _knows(authorization: str, password: str) -> bool:
    kind, _, words = authorization.partition(" ")
    if not password or kind.lower() != "basic":
        return False
    try:
        said = base64.b64decode(words, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(said, password.encode())


async def _read(reader: asyncio.StreamReader) -> Request:
    """The head of a request; a body would be nobody's. Raises ValueError."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.lower(): value.strip(" \t") for name, _, value in pairs}
    path, _, query = target.partition("?")
    return Request(method, path, query, headers)


def _event_head() -> bytes:
    head = {"X-Accel-Buffering": "no"}
    return _head(Response("200 OK", "text/event-stream", headers=head), has_length=False)


def _event(item: object) -> bytes:
    return b"data: " + json.dumps(item, separators=(",", ":")).encode() + b"\n\n"


def _head(response: Response, *, has_length: bool = True) -> bytes:
    headers = {"Content-Type": response.type, **HEADERS, **response.headers, "Connection": "close"}
    if has_length:
        headers["Content-Length"] = str(len(response.body))
    lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
