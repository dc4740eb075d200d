"""A WebSocket of an ASGI app: the frames are the `websockets` library's, the socket is read in the event loop.

The socket is also read while the app does not ask: pings are answered, and a close is noticed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import socket
from collections import deque
from typing import Final

from websockets.exceptions import InvalidState
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.headers import build_extension, parse_extension
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.utils import accept_key

from portico.link.asgi.response import Response
from portico.link.asgi.scope import Headers, Scope
from portico.link.asgi.wire import Wire
from portico.link.head import BrokenAppError, render
from portico.link.receive import Message
from portico.link.websocket.leaving import Leaving
from portico.link.wsgi.request import ClientGoneError, take

_LARGEST: Final = 16 << 20
"""Bytes of a message; a larger one closes the WebSocket with 1009."""
_READ: Final = 1 << 16
_READ_PACKED: Final = 1 << 12
"""At once of a compressed WebSocket: they become at most a thousand times as many (RFC 1951)."""
_MOST_WAITING: Final = 32
"""Messages that wait for the app; more stay in the socket."""
_MOST_BYTES: Final = 1 << 20
"""Likewise; the last message may exceed it."""
_FAREWELL_SECONDS: Final = 5.0
"""How long a client has to answer a close."""
_COMPRESSION: Final = ServerPerMessageDeflateFactory(
    server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
)
"""Windows of 4 KiB: the usual ones of 32 KiB would cost each connection 300 KiB."""

_log: Final = logging.getLogger("portico.websocket")
_log.setLevel(logging.WARNING)  # the library tells of each connection


def is_handshake(scope: Scope) -> bool:
    """Whether a client asks for a WebSocket (RFC 6455 4.2.1). nginx passes one on in HTTP/1.1 only."""
    if scope["method"] != "GET" or scope["http_version"] != "1.1":
        return False
    said = _said(scope["headers"], b"upgrade"), _said(scope["headers"], b"connection")
    return said[0].lower() == "websocket" and "upgrade" in (one.strip().lower() for one in said[1].split(","))


def as_websocket(scope: Scope) -> None:
    """Makes the scope of the handshake that of a WebSocket."""
    named = _said(scope["headers"], b"sec-websocket-protocol")
    scope["type"] = "websocket"
    del scope["method"]  # Litestar takes a scope that has one for that of HTTP
    scope["scheme"] = {"https": "wss"}.get(scope["scheme"], "ws")
    scope["subprotocols"] = [one.strip() for one in named.split(",")] if named else []
    scope["extensions"] = {"websocket.http.response": {}}


class WebSocket:
    """One WebSocket, of a handshake that waits in the socket. `response` refuses it."""

    def __init__(self, wire: Wire, scope: Scope, response: Response) -> None:
        self._wire, self._connection, self._loop = wire, wire.connection, wire.loop
        self._headers: Headers = scope["headers"]
        self._response = response
        self._protocol = ServerProtocol(state=OPEN, max_size=_LARGEST, logger=_log)
        self._messages = deque[tuple[Message, int]]()
        """Each with its size in bytes."""
        self._waiting_bytes = 0
        self._parts = bytearray()
        """Of a message in several frames."""
        self._is_text = False
        self._news = asyncio.Event()
        self._closed = wire.loop.create_future()
        """Done when nothing more comes from the client."""
        self._sending = asyncio.Lock()
        self._flushing: asyncio.Task[None] | None = None
        self._is_reading = self._has_connected = False
        self._goodbye: int | None = None
        self.is_accepted = False

    def refusal(self, *, has_body: bool) -> tuple[int, str]:
        """The status and the text for an invalid handshake; 0 for a valid one."""
        if has_body:
            return 400, "The handshake of a WebSocket has no body.\n"
        if _said(self._headers, b"sec-websocket-version") != "13":
            return 426, "This server speaks version 13 of the WebSocket protocol.\n"
        try:
            key = base64.b64decode(_said(self._headers, b"sec-websocket-key"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        return (0, "") if len(key) == 16 else (400, "The Sec-WebSocket-Key is not valid.\n")

    async def receive(self) -> Message:
        """The app's `receive`."""
        if not self._has_connected:
            self._has_connected = True
            return {"type": "websocket.connect"}
        self._wire.progress()
        while True:
            if self._goodbye is not None:
                return {"type": "websocket.disconnect", "code": self._goodbye, "reason": ""}
            if self._messages:
                message, size = self._messages.popleft()
                self._waiting_bytes -= size
                self._read_on()
                return message
            if self._closed.done():
                return self._disconnect()
            self._news.clear()
            await self._news.wait()

    async def send(self, message: Message) -> None:
        """The app's `send`. ClientGoneError once the WebSocket is closed."""
        kind = message["type"]
        if kind == "websocket.accept" and not self.is_accepted:
            await self._accept(message)
        elif kind == "websocket.send" and self.is_accepted:
            await self._say(message)
        elif kind == "websocket.close":
            await self._close(message)
        elif kind == "websocket.http.response.start" and not self.is_accepted:
            self._response.start(message["status"], message.get("headers", ()))
        elif kind == "websocket.http.response.body" and not self.is_accepted:
            await self._response.send({**message, "type": "http.response.body"})
        else:
            raise BrokenAppError(f"the app sent {kind!r}, which is no message of a WebSocket in this state")

    def say_goodbye(self) -> None:
        """Closes both ends with 1001, once; a WebSocket that is not accepted yet is left alone."""
        if self.is_accepted and self._goodbye is None and not self._closed.done():
            self._goodbye = CloseCode.GOING_AWAY
            self._send_close(CloseCode.GOING_AWAY, "")
            self._flush_soon()
            self._news.set()

    def is_through(self, leaving: Leaving) -> bool:
        """Whether it comes through an nginx worker that is about to be ended."""
        return leaving.has(self._connection)

    async def end(self) -> None:
        """The app has returned: closes what it left open, and waits a moment for the client's own close."""
        if not self.is_accepted:
            return
        if self._goodbye is None:
            self._goodbye = CloseCode.NORMAL_CLOSURE
        self._messages.clear()
        self._waiting_bytes = 0
        try:
            self._send_close(CloseCode.NORMAL_CLOSURE, "")
            await self._flush()
            self._read_on()
            await asyncio.wait([self._closed], timeout=_FAREWELL_SECONDS)
        except ClientGoneError:
            pass
        finally:
            self.stop()

    async def fail(self) -> None:
        """The app has failed: 1011 instead."""
        self._send_close(CloseCode.INTERNAL_ERROR, "")
        await self.end()

    def left(self, _: object) -> None:
        """The client has left. What it has sent before, an accepted WebSocket reads to its end."""
        if not self.is_accepted:
            self.gone()

    def gone(self) -> None:
        """Nothing more comes from the client."""
        self.stop()
        if not self._closed.done():
            self._closed.set_result(None)
        self._news.set()

    def stop(self) -> None:
        """Reads no more."""
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._connection.fileno())

    async def _accept(self, message: Message) -> None:
        pairs = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())
        ]
        protocol = message.get("subprotocol")
        if protocol:
            pairs.append(("Sec-WebSocket-Protocol", protocol))
        if extensions := self._extensions():
            pairs.append(("Sec-WebSocket-Extensions", extensions))
        key = accept_key(_said(self._headers, b"sec-websocket-key"))
        try:
            start = (
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {key}\r\n{render(pairs)[0]}\r\n"
            ).encode("latin-1")
        except UnicodeEncodeError:
            raise BrokenAppError(f"{protocol!r} is not a subprotocol") from None
        take(self._connection, self._response.size)
        self.is_accepted = True
        try:
            async with self._sending:
                await self._wire.send(start)
        except ClientGoneError:
            self.gone()
            raise
        finally:
            self._read_on()

    def _extensions(self) -> str:
        """The header of the compression, where the client offers it."""
        offered = _said(self._headers, b"sec-websocket-extensions")
        try:
            for name, parameters in parse_extension(offered) if offered else ():
                if name == _COMPRESSION.name:
                    accepted, extension = _COMPRESSION.process_request_params(parameters, [])
                    self._protocol.extensions = [extension]
                    return build_extension([(name, accepted)])
        except Exception:  # noqa: BLE001  a header that is no list of extensions: none is used
            return ""
        return ""

    async def _say(self, message: Message) -> None:
        text = message.get("text")
        async with self._sending:
            await self._drain()  # the rest of a send that was cancelled
            try:
                if text is not None:
                    self._protocol.send_text(text.encode())
                else:
                    self._protocol.send_binary(message["bytes"])
            except InvalidState:
                raise ClientGoneError("the WebSocket is closed") from None
            await self._drain()

    async def _close(self, message: Message) -> None:
        if not self.is_accepted:
            self._response.start(403, ())
            await self._response.send({"type": "http.response.body"})
            return
        code = message.get("code", CloseCode.NORMAL_CLOSURE)
        self._send_close(code, message.get("reason") or "")
        if self._goodbye is None and not self._closed.done():
            self._goodbye = code
            self._news.set()
        await self._flush()

    def _send_close(self, code: int, reason: str) -> None:
        try:
            self._protocol.send_close(code, reason)
        except InvalidState:
            pass  # both have said it, or the client left
        except Exception as error:  # noqa: BLE001  a code or a reason that RFC 6455 does not allow
            raise BrokenAppError(f"websocket.close: {error}") from None

    async def _flush(self) -> None:
        async with self._sending:
            await self._drain()

    async def _drain(self) -> None:
        await self._wire.send(b"".join(self._protocol.data_to_send()))

    def _flush_soon(self) -> None:
        """Sends control frames; meanwhile nothing is read, so that a client who does not listen asks for no more."""
        if self._flushing is None:
            self.stop()
            self._flushing = self._loop.create_task(self._flush_now())

    async def _flush_now(self) -> None:
        try:
            await self._flush()
        except ClientGoneError:
            self.gone()
        finally:
            self._flushing = None
        self._read_on()

    def _read_on(self) -> None:
        can = self._has_room() and self._flushing is None
        if can and self.is_accepted and not self._is_reading and not self._closed.done():
            self._is_reading = True
            self._loop.add_reader(self._connection.fileno(), self._read)

    def _has_room(self) -> bool:
        return len(self._messages) < _MOST_WAITING and self._waiting_bytes < _MOST_BYTES

    def _read(self) -> None:
        most = _READ_PACKED if self._protocol.extensions else _READ
        try:
            data = self._connection.recv(most, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
        if not data or self._protocol.eof_sent:
            self.gone()
        elif not self._has_room():
            self.stop()
        if data and self._protocol.writes:
            self._flush_soon()
        self._news.set()

    def _take(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._is_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        if not frame.fin:
            self._parts += frame.data
            return
        data = bytes(frame.data)
        if self._parts:
            self._parts += data
            data, self._parts = bytes(self._parts), bytearray()
        try:
            message = {"text": data.decode()} if self._is_text else {"bytes": data}
        except UnicodeDecodeError:
            self._protocol.fail(CloseCode.INVALID_DATA, "text that is not UTF-8")
            return
        if self._goodbye is not None:
            return  # nobody listens any more
        self._messages.append(({"type": "websocket.receive", **message}, len(data)))
        self._waiting_bytes += len(data)

    def _disconnect(self) -> Message:
        close: Close | None = self._protocol.close_rcvd or self._protocol.close_sent
        if close is None:
            return {"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE, "reason": ""}
        return {"type": "websocket.disconnect", "code": close.code, "reason": close.reason}


def _said(headers: Headers, name: bytes) -> str:
    """The value of a header, several lines joined."""
    return ", ".join(value.decode("latin-1") for key, value in headers if key == name)
