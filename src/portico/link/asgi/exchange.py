"""One ASGI request from its first byte to its last: reads it, calls the app, and handles every failure."""

from __future__ import annotations

import asyncio
import math
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from portico.link.asgi import trace
from portico.link.asgi.body import Body
from portico.link.asgi.departures import Departures
from portico.link.asgi.files import Files
from portico.link.asgi.response import Response, endpoint
from portico.link.asgi.scope import TRACE, Packets, Scope, content_length
from portico.link.asgi.trace import App
from portico.link.asgi.upload import VARIABLE, Upload
from portico.link.asgi.websocket import WebSocket, as_websocket, is_handshake
from portico.link.asgi.wire import Wire, wake
from portico.link.context import Contexts
from portico.link.head import TOO_LONG, BrokenAppError
from portico.link.receive import Message
from portico.link.slow import SLOW_SECONDS
from portico.link.trace import Record, Tracer
from portico.link.upload import NoRoomError
from portico.link.uwsgi import HEADER_SIZE, BadPacketError, packet_size
from portico.link.wsgi.queue import AGAIN_SECONDS, ASKED, Queue, Skip, is_long_ago
from portico.link.wsgi.request import ClientGoneError, Connection

request_id: ContextVar[str] = ContextVar("portico_request", default="")
"""The ID of the request that the running task serves."""

_PEEK: Final = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
_FIRST_READ: Final = 16384
"""Nearly every request fits; a larger one costs one more read."""
_MOMENT_SECONDS: Final = 0.005


@dataclass(frozen=True)
class Means:
    """What all exchanges of a worker share; `deadline` is in seconds, and `allow` is told a request's own one."""

    app: App
    loop: asyncio.AbstractEventLoop
    log: Any
    packets: Packets
    departures: Departures
    files: Files
    tracer: Tracer
    state: dict[str, Any]
    deadline: float
    allow: Callable[[float], None] = lambda _: None
    contexts: Contexts | None = None
    queue: Queue = field(default_factory=lambda: Queue(math.inf))
    response: type[Response] = Response


class Exchange:
    """Serves the one request of `connection`. `ended` is called at the end of its task, which may be later than that
    of the connection.

    `response` and `websocket` are None before the request was read.
    """

    _upload: Upload | None = None

    def __init__(self, means: Means, connection: Connection, ended: Callable[[Exchange], object]) -> None:
        self._means = means
        self.wire = Wire(connection, means.loop)
        self._ended = ended
        self._chunk: bytes | None = None
        self._body: Body | Upload | None = None
        self._gone: asyncio.Future[None] | None = None
        self._is_told = False
        self._scope: Scope = {}
        self._request_id = self._path = ""
        self._method = "GET"
        self.response: Response | None = None
        self.websocket: WebSocket | None = None
        self.deadline = means.deadline
        self.is_overdue = self.is_stream = False
        self.began = self.wire.moved
        """When it was accepted (time.monotonic_ns)."""
        self.may_be_cancelled = False
        """Whether the server has cancelled its task, or may do so."""
        self.left = 0
        """When the server has noticed that the client left (time.monotonic_ns)."""

    @property
    def has_left(self) -> bool:
        """Whether a watched client has left."""
        return self._gone is not None and self._gone.done()

    @property
    def is_in_vain(self) -> bool:
        """Whether the app still sends a response to a client who has left, and does not ask for that."""
        response = self.response
        return (
            self.has_left
            and self.websocket is None
            and not self._is_told
            and response is not None
            and response.head_sent
            and not response.is_complete
        )

    @property
    def lasts(self) -> bool:
        """Whether it is a WebSocket or a stream, which ends when its client likes."""
        websocket, response = self.websocket, self.response
        is_open = websocket is not None and websocket.is_accepted
        return self.is_stream or is_open or (response is not None and response.is_lasting)

    async def serve(self, seen: bytes) -> None:
        """Reads the request, of which `seen` has arrived, and answers it; logs failures, raises nothing."""
        try:
            end = _end(seen)
            if not end:
                seen, end = await self._packet(seen)
            if end:
                response = self._take(seen, end)
                if skip := self._reason_to_skip(response.variables):
                    await self._quietly(_not_executed(skip, response))
                else:
                    await self._run(response)
                if response.is_shortened:
                    self._means.log.warning("%s: %s", self.describe(), TOO_LONG)
                if response.is_complete and self.wire.is_open:
                    await response.settle()
        except BadPacketError as error:
            self._means.log.warning("request refused: %s", error)
        except OSError as error:
            self._means.log.debug("request lost: %s", error)
        finally:
            self.close()
            if (done := self.response) is not None:
                done.let_go()
            self._ended(self)

    async def receive(self) -> Message:
        """The app's `receive`: the body, then `http.disconnect` when the client has left or the answer is out."""
        if (chunk := self._chunk) is not None:
            self._chunk = None
            return {"type": "http.request", "body": chunk, "more_body": False}
        if self._body is not None and not self._body.arrived and self.wire.is_open:
            try:
                piece = await self._body.read()
                return {"type": "http.request", "body": piece, "more_body": not self._body.arrived}
            except OSError:
                pass
        elif self.wire.is_open:
            await asyncio.shield(self.watch())  # frameworks cancel a wait each time they look
        self._is_told = True
        return {"type": "http.disconnect"}

    def watch(self) -> asyncio.Future[None]:
        """Notices from now on when the client leaves; done when that happens, or when the connection is closed."""
        if self._gone is None:
            self._gone = self._means.departures.watch(self.wire.connection)
            if self.websocket is not None:
                self._gone.add_done_callback(self.websocket.left)
        return self._gone

    def close(self) -> None:
        """Closes the connection: a break of the transfer, unless the request was consumed before."""
        if self.wire.is_open:
            if self._gone is not None:
                self._means.departures.forget(self.wire.connection)
                wake(self._gone)
            if self.websocket is not None:
                self.websocket.gone()
            self.wire.close()
            if self._upload is not None:
                self._upload.close()

    async def _packet(self, seen: bytes) -> tuple[bytes, int]:
        """Everything that has arrived, without consuming it, and the length of the packet it begins with."""
        while True:
            if len(seen) >= HEADER_SIZE or (seen and seen[0]):
                end = packet_size(seen.ljust(HEADER_SIZE))
                if len(seen) >= max(end, HEADER_SIZE):
                    return seen, end
                wanted = max(end, _FIRST_READ)
            else:
                wanted = _FIRST_READ
            if not seen:
                await self.wire.readable()
            more = self.wire.connection.recv(wanted, _PEEK)
            if len(more) == len(seen):
                if not more:
                    return b"", 0
                await self._wait_for_more()
            seen = more

    async def _wait_for_more(self) -> None:
        """A packet that comes in pieces: what has come keeps the socket readable, so nothing tells of the rest."""
        gone = self.watch()
        await asyncio.wait([gone], timeout=_MOMENT_SECONDS)
        if gone.done():
            raise BadPacketError("a uwsgi packet that is cut")

    def _take(self, data: bytes, end: int) -> Response:
        """What the packet says: the scope, the body, the deadline. BadPacketError if it is not a request."""
        means = self._means
        variables, headers = means.packets.read(data, end)
        self._scope = scope = means.packets.scope(variables, headers, means.state)
        self._method, self._path = scope["method"], scope["path"]
        length, body = content_length(variables), None
        if length and VARIABLE in variables and self._is_elsewhere(variables[VARIABLE], length):
            length = 0
        elif len(data) - end >= length:
            self._chunk = data[end : end + length]
        else:
            self._body = body = Body(self.wire, end, length)
        if deadline := variables.get(b"PORTICO_DEADLINE"):
            self.deadline = float(deadline)
            self.is_stream = b"PORTICO_STREAM" in variables
            if not self.is_stream:
                means.allow(self.deadline)
        self.response = response = means.response(
            self.wire, scope, variables, end + length, body, means.files, self.close
        )
        return response

    def _is_elsewhere(self, where: bytes, length: int) -> bool:
        """The body is for a file; whether nginx has it there, and sends none."""
        self._upload = upload = Upload(where, length, self.wire)
        if upload.is_nginx_s:
            self._body = upload
        return upload.is_nginx_s

    def _reason_to_skip(self, variables: Mapping[bytes, bytes]) -> Skip | None:
        """Why the app should not be called, if the request waited for long: for a loop that was busy."""
        if not is_long_ago(variables.get(b"PORTICO_MSEC")):
            return None
        environ = {
            name: variables[name.encode()].decode("latin-1") for name in ASKED if name.encode() in variables
        }
        return self._means.queue.reason_to_skip(environ, self.wire.connection)

    def _call(self, scope: Scope, response: Response) -> Awaitable[None]:
        """The app's coroutine, or that of a refusal."""
        if (upload := self._upload) is not None and upload is not self._body:
            return self._filled(upload, response)
        variables = response.variables
        named = dict(scope["headers"])
        self._request_id = named.get(b"x-request-id", b"").decode("latin-1")
        request_id.set(self._request_id)
        if contexts := self._means.contexts:
            is_known = variables.get(b"PORTICO_BEHIND") == b"1"
            contexts.set_among(scope["headers"], self._request_id, is_known=is_known)
        receive, send = self.receive, response.send
        if b"upgrade" in named and is_handshake(scope):
            as_websocket(scope)
            websocket = WebSocket(self.wire, scope, response)
            status, text = websocket.refusal(has_body=bool(self._chunk or self._body))
            if status:
                more = [(b"Sec-WebSocket-Version", b"13")] if status == 426 else []
                return self._quietly(response.answer(status, text, *more))
            self.websocket = websocket
            self.watch()
            receive, send = websocket.receive, websocket.send
        else:
            scope["extensions"] = {"http.response.pathsend": {}}
            if upload is not None:
                upload.tell(scope)
        if TRACE in variables:
            return self._traced(variables[TRACE].decode("latin-1"), scope, receive, send)
        return self._means.app(scope, receive, send)

    async def _filled(self, upload: Upload, response: Response) -> None:
        """Calls the app when the worker's own file of the body is whole."""
        try:
            await upload.fill(self._chunk, self._body)
        except NoRoomError as error:
            self._means.log.error("%s: no room for the upload: %s", self.describe(), error)
            await response.answer(507, "The server has no room for this upload.\n")
        else:
            self._chunk, self._body = None, upload
            await self._call(self._scope, response)

    async def _traced(self, name: str, scope: Scope, receive: Any, send: Any) -> None:
        app, tracer = self._means.app, self._means.tracer
        record = trace.begin(tracer, name, scope)
        if record is None:
            await app(scope, receive, send)
        else:
            await trace.follow(app, record, scope, receive, partial(_noting, record, tracer, send))

    async def _run(self, response: Response) -> None:
        """Calls the app, and makes up for what it leaves open."""
        log = self._means.log
        try:
            await self._call(self._scope, response)
            if (websocket := self.websocket) is not None and websocket.is_accepted:
                await websocket.end()
            elif not response.is_complete:
                if self.wire.has_left():
                    raise ClientGoneError("the app gave up its response")
                raise BrokenAppError("the app returned before its response was complete")
        except asyncio.CancelledError as error:
            if self.may_be_cancelled:
                log.debug("%s was cancelled", self.describe())
            else:
                await self._failed(error, response)  # nobody but the app itself has cancelled it
        except GeneratorExit:
            raise  # the worker has ended
        except BaseException as error:  # noqa: BLE001  SystemExit too: an app must not end the worker
            if _is_departure(error):
                log.debug("%s: the client left: %s", self.describe(), error)
            else:
                await self._failed(error, response)

    async def _failed(self, error: BaseException, response: Response) -> None:
        """Logs the app's traceback; answers 500 if nothing was sent, else leaves the response visibly cut."""
        log, websocket = self._means.log, self.websocket
        if not self.wire.is_open:
            log.error("%s failed after its response", self.describe(), exc_info=error)
        elif websocket is not None and websocket.is_accepted:
            log.error("%s failed on its WebSocket", self.describe(), exc_info=error)
            await self._quietly(websocket.fail())
        elif response.head_sent:
            log.error("%s failed, its response is cut short", self.describe(), exc_info=error)
        else:
            log.error("%s failed", self.describe(), exc_info=error)
            await self._quietly(response.fail())

    async def _quietly(self, sending: Awaitable[None]) -> None:
        try:
            await sending
        except OSError:
            pass  # the client left
        except Exception:  # the connection is closed: nginx answers
            self._means.log.exception("%s: no answer could be made", self.describe())

    def row(self, now: int, stack: list[dict[str, Any]]) -> dict[str, Any]:
        """The request for `portico status`, as `portico.protocol.status.SlowRequest` reads it."""
        route = endpoint(self._scope)
        return {
            "method": self._method,
            "path": self._path,
            "endpoint": "" if route == "-" else route,
            "id": self._request_id,
            "age_seconds": round((now - self.began) / 1e9, 1),
            "silent_seconds": round((now - self.wire.moved) / 1e9, 1),
            "pid": os.getpid(),
            "thread": 0,
            "stack": stack,
        }

    def is_slow(self, now: int) -> bool:
        """Whether the app takes long with it. WebSockets and streams are meant to last."""
        return self.response is not None and now - self.began >= SLOW_SECONDS * 1e9 and not self.lasts

    def describe(self) -> str:
        """The request as part of a log line: method, path, route and request ID."""
        words = [self._method, ascii(self._path)[1:-1]]
        if (route := endpoint(self._scope)) != "-":
            words.append(f"endpoint {route}")
        if named := self._request_id:
            words.append(f"request {ascii(named)[1:-1]}")
        return " ".join(words)


async def _not_executed(skip: Skip, response: Response) -> None:
    """A complete answer for nginx, which would otherwise retry the request at another worker."""
    if skip is Skip.LEFT:
        await response.answer(499, "The client has closed its connection.\n")
    elif skip is Skip.EXPIRED:
        again = (b"Retry-After", str(AGAIN_SECONDS).encode())
        await response.answer(503, "The server is overloaded. Try again in a moment.\n", again)


async def _noting(record: Record, tracer: Tracer, send: Any, message: Message) -> None:
    if "headers" in message:
        message = {**message, "headers": list(message["headers"])}  # they may be an iterator, which ends
    trace.note(record, tracer, message)
    await send(message)


def _end(seen: bytes) -> int:
    """The length of the packet that `seen` begins with; 0 if that is not all of a packet."""
    if len(seen) >= HEADER_SIZE and not seen[0]:
        end = HEADER_SIZE + (seen[1] | seen[2] << 8)
        return end if end <= len(seen) else 0
    return 0


def _is_departure(error: BaseException) -> bool:
    """Whether it only says that the client left; frameworks with tasks of their own make a group of it."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_departure(one) for one in error.exceptions)
    return isinstance(error, ClientGoneError)
