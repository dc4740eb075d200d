"""Gunicorn's asgi worker, which speaks HTTP; the gateway's headers name the client, which a unix socket does not."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from functools import partial

from portico.link.asgi import trace
from portico.link.asgi.exchange import request_id
from portico.link.asgi.response import endpoint
from portico.link.asgi.trace import App, Scope, Send
from portico.link.fence import SENDER_HEADER, Fence
from portico.link.gunicorn.event_loop import EventLoopWorker
from portico.link.gunicorn.watch import limits_from
from portico.link.head import JOINED, LARGEST, STREAMED, BrokenAppError, too_large
from portico.link.receive import Message, Receive, Receiver
from portico.link.trace import Record, Tracer
from portico.link.websocket.asgi import AsgiWebSocket
from portico.link.websocket.leaving import Leaving
from portico.link.wsgi.peer import VARIABLE as PEER_VARIABLE
from portico.link.wsgi.peer import Peers
from portico.link.wsgi.queue import is_long_ago

_NUMBERS = b"x-portico"
_TRACE = b"x-portico-trace"
_BEGAN = b"x-portico-began"
"""The same from Apache httpd, which cannot send it before the client's headers: the fence checks all of them."""
_PEER = b"x-portico-peer"
"""From Apache httpd: both ends of the client's connection."""
_OWN = (b"x-portico-msec", _BEGAN, _PEER, SENDER_HEADER, _TRACE)
_BURST = 4096
"""The backlog; the kernel allows no more than net.core.somaxconn."""
_NOTIFY_SECONDS = 1.0
_ONE_LINE = frozenset(name.lower().encode() for name in JOINED)
_STREAMED = re.compile(rf"{STREAMED}\s*(?:;|$)".encode(), re.IGNORECASE)
_SECURE = {"http": "https", "ws": "wss"}


class Worker(EventLoopWorker):
    """Runs an ASGI app behind a gateway that speaks HTTP: `gunicorn -k portico.link.gunicorn.asgi_http.Worker`."""

    def load_wsgi(self) -> None:
        """Loads the app as Gunicorn does, and wraps it in the link."""
        super().load_wsgi()
        self._websockets, self._leaving = set[AsgiWebSocket](), Leaving.of(os.environ)
        self.asgi: App = behind_nginx(
            self.asgi, Tracer.of(os.environ), Fence.of(os.environ), self._websockets
        )

    def notify(self) -> None:
        """Called once a second while the worker serves, not before the app's startup is complete."""
        if not self.handover.has_loaded:
            self._take_bursts()
            self.beat.start(limits_from(os.environ)[0])
        super().notify()
        self.beat.set(0.0, _NOTIFY_SECONDS)
        self.look(self.nr)
        if self._leaving.is_any():
            self._say_goodbye(lambda websocket: websocket.is_through(self._leaving))

    def _take_bursts(self) -> None:
        """asyncio sets the socket's backlog to 100, whatever Portico set before."""
        for listener in self.sockets:
            listener.listen(_BURST)

    async def _shutdown(self) -> None:
        """Gunicorn waits for connections to end; WebSockets end when the server closes them."""
        self.beat.stop()
        self._say_goodbye(lambda _: True)
        await super()._shutdown()

    def _say_goodbye(self, is_meant: Callable[[AsgiWebSocket], bool]) -> None:
        for websocket in self._websockets.copy():
            if is_meant(websocket):
                websocket.say_goodbye()


def behind_nginx(
    app: App,
    tracer: Tracer | None = None,
    fence: Fence | None = None,
    websockets: set[AsgiWebSocket] | None = None,
) -> App:
    """The app with the client's address and scheme in its scope, and the worker's numbers in its answer.

    Only nginx can connect to the private socket, so its X-Real-IP and X-Forwarded-Proto can be trusted.
    """

    websockets, peers = set() if websockets is None else websockets, Peers()

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id.set(headers.get(b"x-request-id", b"").decode("latin-1"))
        began = time.monotonic()
        queued = _queue_microseconds(headers.get(b"x-portico-msec") or headers.get(_BEGAN, b""))
        if scope["type"] == "http" and _has_left(headers, peers):
            await _not_executed(send)
            return
        asked = headers.get(_TRACE)
        _set_client(scope, headers, fence)
        record = trace.begin(tracer, asked.decode("latin-1"), scope) if tracer and asked else None

        async def numbered(message: Message) -> None:
            if record and tracer:
                trace.note(record, tracer, message)
            if message["type"] == "http.response.start":
                _number(message, scope, queued, time.monotonic() - began)
            await send(message)

        if scope["type"] == "http":
            heard = Receiver(receive)
            try:
                await _called(app, record, scope, heard, numbered)
            finally:
                heard.end()
        else:
            websocket = AsgiWebSocket(receive, send)
            websockets.add(websocket)
            try:
                await _called(
                    app, record, scope, websocket.receive, partial(_noting_accept, websocket, numbered)
                )
            finally:
                websockets.discard(websocket)

    return answering


def _has_left(headers: dict[bytes, bytes], peers: Peers) -> bool:
    """Whether the request waited, and httpd's client has left meanwhile: httpd does not hang up on the worker."""
    named = headers.get(_PEER)
    if not named or b"x-portico-msec" in headers or not is_long_ago(headers.get(_BEGAN)):
        return False
    return peers.has_left({PEER_VARIABLE: named.decode("latin-1")})


async def _not_executed(send: Send) -> None:
    plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 499, "headers": plain})
    await send({"type": "http.response.body", "body": b""})


async def _called(app: App, record: Record | None, scope: Scope, receive: Receive, send: Send) -> None:
    if record is None:
        await app(scope, receive, send)
    else:
        await trace.follow(app, record, scope, receive, send)


def _number(message: Message, scope: Scope, queued: int, seconds: float) -> None:
    """Adds the worker's numbers to the head of an answer, and removes the app's headers of the same names."""
    numbers = f"{queued} {int(seconds * 1e6)} {os.getpid()} 0 {endpoint(scope)}"
    kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != _NUMBERS]
    _check(kept)
    message["headers"] = [*_joined(_unbuffered(kept)), (_NUMBERS, numbers.encode("latin-1", "replace"))]


async def _noting_accept(websocket: AsgiWebSocket, send: Send, message: Message) -> None:
    await send(message)
    websocket.is_accepted |= message["type"] == "websocket.accept"


def _set_client(scope: Scope, headers: dict[bytes, bytes], fence: Fence | None) -> None:
    """Sets the client from nginx's headers, and removes headers that the client may not set."""
    if fence:
        scope["headers"] = fence.headers(scope["headers"], headers.get(SENDER_HEADER, b"0"))
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _OWN]
    scope["client"] = (headers.get(b"x-real-ip", b"").decode("latin-1"), 0)
    if headers.get(b"x-forwarded-proto") == b"https":
        scope["scheme"] = _SECURE.get(scope["scheme"], scope["scheme"])
    _set_prefix(scope, headers.get(b"x-forwarded-prefix", b"").decode("latin-1"))


def _set_prefix(scope: Scope, prefix: str) -> None:
    """Adds the prefix that a declared proxy stripped: nginx sends it together with the mount."""
    outer = prefix.removesuffix(scope.get("root_path", ""))
    if outer:
        scope["root_path"], scope["path"] = prefix, outer + scope["path"]
        if scope.get("raw_path"):
            scope["raw_path"] = outer.encode("latin-1") + scope["raw_path"]


def _queue_microseconds(msec: bytes) -> int:
    try:
        return max(0, int((time.time() - float(msec)) * 1e6))
    except ValueError:
        return 0


def _unbuffered(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Events, JSON lines and other streams are sent one by one: nginx would buffer them."""
    said = {name.lower(): value for name, value in headers}
    kind = said.get(b"content-type", b"")
    if b"x-accel-buffering" in said or not (
        kind.startswith(b"text/event-stream") or (b"content-length" not in said and _STREAMED.match(kind))
    ):
        return headers
    return [*headers, (b"x-accel-buffering", b"no")]


def _check(headers: list[tuple[bytes, bytes]]) -> None:
    """BrokenAppError for a head that nginx would refuse with a plain 502."""
    size = sum(len(name) + len(value) + 4 for name, value in headers)
    if size > LARGEST:
        raise BrokenAppError(too_large(size))
    lengths = [value for name, value in headers if name.lower() == b"content-length"]
    if len(lengths) > 1:
        first, second = (value.decode("latin-1") for value in lengths[:2])
        raise BrokenAppError(f"the answer has two Content-Length headers: {first} and {second}")


def _joined(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Merges several lines of a cache header: nginx before 1.23 reads only one of them."""
    lines: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if (low := name.lower()) in _ONE_LINE:
            lines.setdefault(low, []).append(value)
    if all(len(values) < 2 for values in lines.values()):
        return headers
    left = [pair for pair in headers if pair[0].lower() not in lines]
    return [*left, *((name, b", ".join(values)) for name, values in lines.items())]
