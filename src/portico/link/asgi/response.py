"""The outgoing half of an ASGI request: checks the app's messages, and sends head and body with backpressure.

A response is complete when every byte of it was handed to nginx; only then is the request consumed from the socket.
Closing before that resets the connection, and nginx breaks the transfer to the client.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from portico.link import timing
from portico.link.asgi.body import Body
from portico.link.asgi.files import Files, copy
from portico.link.asgi.scope import Scope
from portico.link.asgi.wire import Wire
from portico.link.head import BrokenAppError, is_events, numbers, render, streamed
from portico.link.receive import Message
from portico.link.wsgi.request import take

_JOIN: Final = 1 << 16
"""Below this size, copying a body behind its head is cheaper than a second system call."""
_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_CODED: Final = re.compile(r"(?:^|\n)content-encoding:", re.IGNORECASE)
_FAIR: Final = 1 << 18
"""Bytes after which others get their turn, however fast the client is."""
_PART: Final = 1 << 13
"""What each message counts at least for that."""
_FACTS: Final = (b"PORTICO_MSEC", b"PORTICO_PRIVATE")
"""The variables that decide about a file."""
_LONGEST_NAME: Final = 200
"""Of a route, in characters."""
_MOST_NAMES: Final = 1000
_SERVER: Final = "server"
_TIMED: Final = timing.WANTED.encode()
_names: dict[bytes, str] = {}
"""The names of headers as text, _SERVER for each spelling of it."""
_GAP: Final = "the app cancelled a send, so a part of its response is missing: nothing more of it is sent"


class Response:
    """One response to the request of `size` bytes that waits in the socket, unless there is a `body` that reads it.

    `send` takes the app's messages. It raises ClientGoneError, an OSError, if nginx has closed the connection, and
    BrokenAppError for what ASGI or HTTP do not allow.
    """

    def __init__(
        self,
        wire: Wire,
        scope: Scope,
        variables: dict[bytes, bytes],
        size: int,
        body: Body | None,
        files: Files,
        finished: Callable[[], None],
    ) -> None:
        self._wire, self._scope, self.variables = wire, scope, variables
        self._is_head = scope["method"] == "HEAD"
        self.size, self._body = size, body
        self._files, self._finished = files, finished
        self._head = ""
        self._status = 0
        self._length: int | None = None
        self._sendfile: str | None = None
        self._left: int | None = None  # bytes still missing to the Content-Length; None: until the end
        self._bodiless = False
        self._turn: asyncio.Lock | None = None
        """Two tasks of the app may send. Made when a send may have to wait."""
        self._has_rest = False
        """The wire holds the rest of the whole response."""
        self._has_gap = False
        """A part is missing: what follows must not make the response look whole."""
        self._drops_rest = False
        """A file was the body: the app's own parts are not."""
        self._since_yield = 0
        self.began = time.monotonic_ns()
        self.head_sent = self.is_complete = False
        self.is_events = self.is_shortened = False
        self._is_coded = self._is_within_line = False

    @property
    def is_lasting(self) -> bool:
        """Whether it is under way without a length, which only its end tells: such answers are meant to last."""
        return self.head_sent and self._left is None

    async def send(self, message: Message) -> None:
        """The app's `send`."""
        kind = message["type"]
        if kind == "http.response.start":
            self.start(message["status"], message.get("headers", ()))
            return
        try:
            if kind == "http.response.body" and self._is_whole(message) and self._send_whole(message):
                return  # nearly every answer: without a wait, a lock and their coroutines
            if (turn := self._turn) is None:
                turn = self._turn = asyncio.Lock()
            async with turn:
                await self._send(message)
        except asyncio.CancelledError:
            self._has_gap = not self.is_complete
            raise

    def _is_whole(self, message: Message) -> bool:
        """Whether this is the whole body of the response, in one small part, and nothing must be waited for before."""
        return (
            not (message.get("more_body") or self.head_sent or self.is_complete)
            and self._status > 0
            and self._turn is None
            and self._body is None
            and self._sendfile is None
            and not (self._has_gap or self._drops_rest)
            and type(body := message.get("body", b"")) is bytes
            and len(body) <= _JOIN
        )

    def _send_whole(self, message: Message) -> bool:
        """Whether the kernel took all of it; else the rest of it waits for `_send`."""
        if not self._wire.offer(b"".join(self._with_head(message.get("body", b""), more=False))):
            self._has_rest = True
            return False
        self._finish()
        return True

    def start(self, status: int, headers: Any) -> None:
        """Checks the head; it is sent with the first part of the body."""
        if self._status:
            raise BrokenAppError("the app sent http.response.start twice")
        if not 200 <= status <= 999:
            raise BrokenAppError(f"{status!r} is not a status of a response")
        pairs = _as_text(headers)
        self._bodiless = status in (204, 304) or self._is_head
        if status == 204:  # RFC 9110 8.6: without a length
            pairs = [pair for pair in pairs if pair[0].lower() != "content-length"]
        self._head, self._length, self._sendfile = render(pairs)
        self._status = status

    async def fail(self) -> None:
        """Answers 500; only before anything was sent."""
        await self.answer(500, "Internal Server Error\n")

    async def answer(self, status: int, text: str, *more: tuple[bytes, bytes]) -> None:
        """The worker's own answer instead of the app's; only before anything was sent."""
        self._status, self._has_gap = 0, False
        self.start(status, [(b"Content-Type", b"text/plain; charset=utf-8"), *more])
        await self.send({"type": "http.response.body", "body": text.encode()})

    async def settle(self) -> None:
        """After the last byte: consumes the request, so that nginx takes the response for whole."""
        if (body := self._body) is None or body.arrived:
            self._settle()
        elif self._wire.is_open:
            # nginx still sends the body that the app did not read, and a close now would look like a failure: it
            # gets the end of the response, and then closes by itself.
            try:
                self._wire.connection.shutdown(socket.SHUT_WR)
                while await body.read():
                    pass
            except OSError:
                self._finished()  # nginx closed first
            self._settle()

    def _settle(self) -> None:
        wire, body = self._wire, self._body
        if wire.is_open:
            try:
                take(wire.connection, self.size if body is None else body.untaken)
                if self._length is None:
                    # A child that the app has forked may hold the connection, too: the close alone would be no end.
                    wire.connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # nginx has everything and closed first
            self._finished()

    def let_go(self) -> None:
        """Called after the last use: an object that leads back to itself would be left to the garbage collector."""
        self._finished = _nothing

    def comment(self, text: bytes) -> None:
        """Keeps an event stream alive that is silent; never within a line, and never waits."""
        is_apt = self.head_sent and not (self._is_coded or self._is_within_line or self.is_complete)
        if is_apt and not self._has_gap and not (self._turn and self._turn.locked()):
            try:
                self._wire.connection.send(text, socket.MSG_DONTWAIT)
            except OSError:
                return  # the client left, or does not read: that is no progress
            self._wire.progress()

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._has_gap:
            raise BrokenAppError(_GAP)
        if self._has_rest:
            self._has_rest = False
            await self._wire.send(b"")
            self._finish()
        elif kind == "http.response.body":
            await self._write(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.pathsend":
            if self.is_complete or self.head_sent or not self._status:
                raise BrokenAppError("http.response.pathsend must follow http.response.start")
            await self._send_file(message["path"], is_named=False)
        else:
            raise BrokenAppError(f"the app sent {kind!r}, which is no message of an HTTP response")

    async def _write(self, data: bytes, *, more: bool) -> None:
        """Sends a part of the body, behind the head if that was not sent yet."""
        if not isinstance(data, bytes):
            data = _as_bytes(data)
        if self._drops_rest:
            self._drops_rest = more
            return
        if self.is_complete or not self._status:
            raise BrokenAppError(
                "the app sent a body after the end of its response"
                if self.is_complete
                else "the app sent a body before http.response.start"
            )
        if not self.head_sent:
            if self._sendfile is not None:
                await self._send_file(self._sendfile, is_named=True)
                self._drops_rest = more
                return
            await self._send_head(data, more=more)
        else:
            await self._send_part(data)
        if self.is_events and data:
            self._is_within_line = data[-1:] != b"\n"
        if not more:
            await self._end()

    async def _send_part(self, data: bytes) -> None:
        if data and not self._bodiless:
            data = self._bounded(data)
            await self._wire.send(data)
        self._since_yield += max(len(data), _PART)
        if self._since_yield > _FAIR or self._bodiless:
            self._since_yield = 0
            await asyncio.sleep(0)

    async def _end(self) -> None:
        self._check_length()
        self.is_complete = True
        await self.settle()

    def _finish(self) -> None:
        """`_end` of a response to a request whose body is read."""
        self._check_length()
        self.is_complete = True
        self._settle()

    def _check_length(self) -> None:
        if self._left and not self._bodiless:
            raise BrokenAppError(f"the body ended {self._left} bytes before its Content-Length")

    async def _send_head(self, data: bytes, *, more: bool) -> None:
        if self._body is not None:
            await self._body.hold()
        head, data = self._with_head(data, more=more)
        if len(data) > _JOIN:
            await self._wire.send(head)
            await self._wire.send(data)
        else:
            await self._wire.send(head + data)

    def _with_head(self, data: bytes, *, more: bool) -> tuple[bytes, bytes]:
        """The head, and as much of the first part of the body as belongs to the response."""
        if self._bodiless:
            data = b""
        else:
            if self._length is None:
                if more:
                    self._choose_buffering()
                else:
                    self._length = len(data)
                    self._head += f"Content-Length: {len(data)}\r\n"
            self._left = self._length
            data = self._bounded(data)
        line = _LINES.get(self._status) or f"HTTP/1.1 {self._status} \r\n"
        told = numbers(self.began, _label(), self.variables.get(b"PORTICO_MSEC"), endpoint(self._scope))
        self.head_sent = True
        return f"{line}{self._head}X-Portico: {told}\r\n\r\n".encode("latin-1"), data

    def _choose_buffering(self) -> None:
        self.is_events = is_events(self._head)
        self._is_coded = _CODED.search(self._head) is not None
        if streamed(self._head):
            self._head += "X-Accel-Buffering: no\r\n"

    def _bounded(self, data: bytes) -> bytes:
        """The part of `data` within the Content-Length; the rest would be read as another response."""
        if self._left is None:
            return data
        if len(data) > self._left:
            data = data[: self._left]
            self.is_shortened = True
        self._left -= len(data)
        return data

    def _facts(self) -> dict[str, str]:
        return {
            name.decode(): self.variables[name].decode("latin-1") for name in _FACTS if name in self.variables
        }

    async def _send_file(self, path: str, *, is_named: bool) -> None:
        """The file is the whole body: sent by nginx if it may, else by the kernel.

        `is_named`: by X-Sendfile, which is for files under a root.
        """
        descriptor = self._files.open(path, is_named=is_named)
        try:
            self._sendfile = None
            head = None
            if self._status == 200 and not self._bodiless:
                head = self._files.head(descriptor, self._head, self._scope, self._facts())
            if head is not None:
                self._head, self._length = head, 0
                await self._send_head(b"", more=False)
            else:
                if self._length is None:
                    self._length = os.fstat(descriptor).st_size
                    self._head += f"Content-Length: {self._length}\r\n"
                await self._send_head(b"", more=True)
                if self._left and not self._bodiless:
                    self._left -= await copy(descriptor, self._wire, self._left)
        finally:
            os.close(descriptor)
        await self._end()


class TimedResponse(Response):
    """A Response that tells the gateway its times, if the client may see them."""

    def _with_head(self, data: bytes, *, more: bool) -> tuple[bytes, bytes]:
        if _TIMED in self.variables:
            self._head += timing.line(self.began, self.variables.get(b"PORTICO_MSEC"))
        return super()._with_head(data, more=more)


def _as_bytes(data: object) -> bytes:
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise BrokenAppError(f"the body of a response is not bytes but {type(data).__name__}")


def _as_text(headers: Any) -> list[tuple[str, str]]:
    """The pairs, without the name of the app's server: nginx sends its own."""
    try:
        pairs = headers if isinstance(headers, list) else list(headers)
        try:
            found = [(_names.get(name) or _text(name), value.decode("latin-1")) for name, value in pairs]
        except TypeError:  # bytearrays, which are no keys
            found = [(_text(bytes(name)), bytes(value).decode("latin-1")) for name, value in pairs]
    except (AttributeError, TypeError, ValueError):
        raise BrokenAppError("the headers of a response are not pairs of bytes") from None
    return [pair for pair in found if pair[0] is not _SERVER]


def _text(name: bytes) -> str:
    text = name.decode("latin-1")
    text = _SERVER if text.lower() == "server" else text
    if len(_names) < _MOST_NAMES and len(text) <= _LONGEST_NAME:
        _names[name] = text
    return text


@cache
def _label() -> str:
    """Process and thread, for the log line."""
    return f"{os.getpid()} 0"


def _nothing() -> None:
    pass


def endpoint(scope: Scope) -> str:
    """The route's name, which Starlette and FastAPI leave in the scope; "-" if there is none in ASCII."""
    found = scope.get("endpoint")
    try:
        name = found.__name__ if found is not None else ""
        return str(name) if name.isascii() and name.isidentifier() and len(name) <= _LONGEST_NAME else "-"
    except Exception:  # noqa: BLE001  whatever else an app calls an endpoint
        return "-"
