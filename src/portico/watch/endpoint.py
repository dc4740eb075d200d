"""Answers observers over HTTP: the dashboard's files, its event stream, the metrics. It accepts no commands.

Only GET, one answer a connection: the gateway is in front of it, or one browser on loopback. `guards` decide who has
access. Starlette would add a server and its packages to a process that must stay small.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import urllib.parse
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from importlib import resources
from pathlib import Path
from typing import Protocol

import msgspec

from portico.errors import PorticoError
from portico.http import END, Request, read_request
from portico.lessons.model import Lesson
from portico.lessons.of_trace import of_trace
from portico.link import private_socket
from portico.protocol.feed import Item
from portico.protocol.trace import Trace
from portico.watch.exposition import CONTENT_TYPE
from portico.watch.http import Response, head

HEAD_SECONDS = 10.0
MOST_OPEN = 64
"""Dashboards that are open at once."""
MOST_CONNECTIONS = 512
"""Connections that may wait to be accepted."""
MOST_SILENT = 256
"""Connections that have not sent a request yet; of more, the oldest is closed."""
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("main", "flow", "charts", "lists", "tables", "quiz", "walk", "words")
    },
}


_OF_TRACE: dict[str, Callable[[Trace], Trace | Lesson]] = {"/trace": lambda trace: trace, "/lesson": of_trace}
"""What is answered about a traced request."""


class Source(Protocol):
    """The source of the data: `watch.live` in the same process, or the control socket of another."""

    def follow(self) -> AsyncGenerator[Item, None]:
        """Everything, then what changes."""

    async def exposition(self) -> str:
        """The metrics as text."""

    async def trace(self, request_id: str) -> Trace | None:
        """The saved data of a traced request."""


Guard = Callable[[Request], Awaitable[Response | None]]
"""The answer to a client without access; None admits it."""


class Endpoint:
    """One listening socket for people, or for Prometheus: `serves` are its paths."""

    def __init__(self, source: Source, guard: Guard, *, metrics_only: bool = False, below: str = "/") -> None:
        """`below` is the prefix of all paths."""
        self._source, self._guard, self._metrics_only = source, guard, metrics_only
        self._below = below
        self._silent = dict[asyncio.StreamWriter, None]()
        self._open = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte to its end."""
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                request = await self._heard(reader, writer)
            await self._reply(request, reader, writer)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            pass  # the client has gone, or does not speak HTTP
        finally:
            writer.close()

    async def _heard(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
        """Reads a request. A client that sends nothing is the first to be closed when many connect. Raises
        ValueError.
        """
        if len(self._silent) >= MOST_SILENT:
            next(iter(self._silent)).transport.abort()
        self._silent[writer] = None
        try:
            return read_request(await reader.readuntil(END))  # a body would have no use
        finally:
            self._silent.pop(writer, None)

    async def _reply(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        response = await self._refusal(request)
        request = request._replace(path="/" + request.path.removeprefix(self._below))
        if response is None and request.path == "/events" and not self._metrics_only:
            if self._open < MOST_OPEN:
                await self._stream(reader, writer)
                return
            response = Response("503 Service Unavailable", body=b"too many observers\n")
        try:
            response = response or await self._found(request)
        except PorticoError as error:
            response = Response("503 Service Unavailable", body=f"{error}\n".encode())
        writer.write(head(response) + (b"" if request.method == "HEAD" else response.body))
        await writer.drain()

    async def _refusal(self, request: Request) -> Response | None:
        if request.method not in ("GET", "HEAD"):
            return Response("405 Method Not Allowed", headers={"Allow": "GET, HEAD"})
        return await self._guard(request)

    async def _found(self, request: Request) -> Response:
        path = request.path
        if path == "/metrics":
            text = await self._source.exposition()
            return Response("200 OK", CONTENT_TYPE, text.encode())
        if path in _FILES and not self._metrics_only:
            name, kind = _FILES[path]
            body = (resources.files("portico.watch") / "dashboard" / name).read_bytes()
            return Response("200 OK", kind, body)
        if path in _OF_TRACE and not self._metrics_only:
            name = dict(urllib.parse.parse_qsl(request.query)).get("id", "")
            if name.isalnum() and name.isascii() and (trace := await self._source.trace(name)):
                made = _OF_TRACE[path](trace)
                return Response("200 OK", "application/json", json.dumps(msgspec.to_builtins(made)).encode())
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
            writer.write(head(Response("503 Service Unavailable", body=f"{error}\n".encode())))
        finally:
            self._open -= 1
            gone.cancel()


async def listen_unix(endpoint: Endpoint, path: str, group: str = "") -> asyncio.Server:
    """A socket for the gateway's workers, which have access by group. Raises OSError."""
    listener = private_socket.bind(path)
    if group:
        shutil.chown(path, group=group)
    Path(path).chmod(0o660)
    return await asyncio.start_unix_server(
        endpoint.answer, sock=listener, limit=1 << 14, backlog=MOST_CONNECTIONS
    )


def _event_head() -> bytes:
    more = {"X-Accel-Buffering": "no"}
    return head(Response("200 OK", "text/event-stream", headers=more), has_length=False)


def _event(item: object) -> bytes:
    return b"data: " + json.dumps(msgspec.to_builtins(item), separators=(",", ":")).encode() + b"\n\n"
