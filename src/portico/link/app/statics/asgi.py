"""An ASGI app as a WSGI app, for test requests: one event loop each, no body, no lifespan."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from portico.link.app.statics.stranger import LOOKS, MOST_COMPARED, Origin


class _EnoughError(Exception):
    """More of the body is not compared."""


class _NotedBytes(bytes):
    """An Origin as bytes, which notes in the Origin that the app has looked at it."""

    origin: Origin


def _noting(method: Callable[..., Any]) -> Callable[..., Any]:
    def noted(said: _NotedBytes, *args: Any, **named: Any) -> Any:
        said.origin.is_read = True
        return method(said, *args, **named)

    return noted


for _name in ("decode", *LOOKS):
    if hasattr(bytes, _name):
        setattr(_NotedBytes, _name, _noting(getattr(bytes, _name)))


def as_wsgi(app: Any) -> Callable[..., Iterable[bytes]]:
    """Raises what the app raises, and RuntimeError for an answer that it leaves open."""

    def called(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, headers, body = asyncio.run(_answer(app, _scope(environ)))
        start_response(f"{status} ", headers)
        return body

    return called


async def _answer(app: Any, scope: dict[str, Any]) -> tuple[int, list[tuple[str, str]], list[bytes]]:
    exchange = _Exchange()
    try:
        await app(scope, exchange.receive, exchange.send)
    except BaseException:
        if not exchange.ended.is_set():
            raise
    if not exchange.ended.is_set():
        raise RuntimeError("the answer has no end")
    headers = [
        (bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in exchange.headers
    ]
    return exchange.status, headers, exchange.body


class _Exchange:
    """One request without a body, and its answer."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 0, list[tuple[bytes, bytes]](), list[bytes]()
        self.ended = asyncio.Event()
        self._is_asked = False

    async def receive(self) -> dict[str, Any]:
        if not self._is_asked:
            self._is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self.body.append(bytes(message.get("body", b"")))
            if not message.get("more_body", False):
                self.ended.set()
            elif sum(map(len, self.body)) > MOST_COMPARED:
                self.ended.set()
                raise _EnoughError


def _scope(environ: dict[str, Any]) -> dict[str, Any]:
    """As the worker makes it."""
    prefix, port = environ["SCRIPT_NAME"], int(environ["SERVER_PORT"])
    path = (prefix + environ["PATH_INFO"]).encode("latin-1")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "path": path.decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": environ["QUERY_STRING"].encode("latin-1"),
        "root_path": prefix,
        "headers": list(_headers(environ)),
        "client": (environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"])),
        "server": (environ["SERVER_NAME"], port),
        "state": {},
    }


def _headers(environ: dict[str, Any]) -> Iterable[tuple[bytes, bytes]]:
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].lower().replace("_", "-").encode("latin-1"), _bytes(value)


def _bytes(value: str) -> bytes:
    said = str.encode(value, "latin-1")
    if not isinstance(value, Origin):
        return said
    noted = _NotedBytes(said)
    noted.origin = value
    return noted
