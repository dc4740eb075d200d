"""One request from its first byte to its last: reads it, calls the app, sends the answer, and handles every failure."""

from __future__ import annotations

import contextlib
import io
import math
import socket
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from portico.link.context import Contexts
from portico.link.fence import Fence
from portico.link.head import TOO_LONG, endpoint
from portico.link.trace import HEADER, Tracer
from portico.link.upload import VARIABLE, NoRoomError
from portico.link.uwsgi import BadPacketError
from portico.link.websocket.frames import WebSocketConnection
from portico.link.wsgi import upload
from portico.link.wsgi.download import Downloads
from portico.link.wsgi.queue import AGAIN_SECONDS, Queue, Skip, has_waited
from portico.link.wsgi.request import (
    Body,
    ClientGoneError,
    Connection,
    Environ,
    NoBody,
    build_environ,
    content_length,
    read_packet,
    take,
)
from portico.link.wsgi.response import App, FileWrapper, Response
from portico.link.wsgi.thread_pool import Slot
from portico.link.wsgi.trace import begin_trace

_BODY_BUFFER: Final = 1 << 18
"""The default buffer of a unix socket: a large upload costs few system calls, and 256 KiB of memory."""


class Log(Protocol):
    """The used part of Gunicorn's logger."""

    def debug(self, message: str, *values: object) -> None: ...
    def info(self, message: str, *values: object) -> None: ...
    def warning(self, message: str, *values: object) -> None: ...
    def error(self, message: str, *values: object) -> None: ...
    def exception(self, message: str, *values: object) -> None: ...


class Exchange:
    """Serves requests to `app`; `base` contains what is the same in every environ.

    `downloads` are the folders from which nginx sends files, `queue` knows how long requests may wait. `allow` is
    told the seconds of a request that has a deadline of its own.
    """

    def __init__(
        self,
        app: App,
        base: Environ,
        log: Log,
        downloads: Downloads | None = None,
        tracer: Tracer | None = None,
        contexts: Contexts | None = None,
        queue: Queue | None = None,
        fence: Fence | None = None,
        allow: Callable[[float], None] = lambda _: None,
        response: type[Response] = Response,
    ) -> None:
        self._app = app
        self._response = response
        self._queue = queue or Queue(math.inf)
        self._tracer = tracer or Tracer(None)
        self._contexts = contexts
        self._fence = fence
        self._allow = allow
        self._base = base | {
            "wsgi.input": NoBody(),
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
        }
        self._log = log
        self._downloads = downloads

    def serve(self, connection: Connection, slot: Slot) -> None:
        """Serves the one request of `connection`, closes it, and logs failures; raises nothing."""
        slot.began = slot.moved = time.monotonic_ns()
        slot.connection = connection
        try:
            received = self._receive(connection)
            if received is None:
                return
            environ, size, body = received
            if has_waited(environ) and (skip := self._queue.reason_to_skip(environ, connection)):
                _not_executed(skip, Response(connection, environ, slot, size, body))
                return
            slot.environ = environ
            if self._contexts is not None:
                self._contexts.set_in(environ)
            if "HTTP_UPGRADE" in environ:
                environ["gunicorn.socket"] = HandedSocket(connection, size, slot)
            if "PORTICO_STREAM" in environ:
                slot.relieve(slot)
            elif "PORTICO_DEADLINE" in environ:
                self._allow(float(environ["PORTICO_DEADLINE"]))
            if HEADER in environ:
                self._maybe_traced(environ, connection, slot, size, body)
            else:
                self._answer(
                    environ, self._response(connection, environ, slot, size, body, self._downloads), slot
                )
        except Exception:  # noqa: BLE001  a thread that ended here would be missed for good
            self._log.exception("request lost")
        finally:
            if slot.handed_over:
                _hang_up(slot)
            connection.close()
            slot.environ = slot.connection = None

    def _maybe_traced(
        self, environ: Environ, connection: Connection, slot: Slot, size: int, body: Body | None
    ) -> None:
        """A client asks for a trace; an unauthorized one is answered as if it had not asked."""
        packet = size - (content_length(environ) or 0)
        trace = begin_trace(self._tracer, environ, connection, packet, slot.label, self._app)
        if trace is None:
            self._answer(
                environ, self._response(connection, environ, slot, size, body, self._downloads), slot
            )
            return
        response = trace.response(connection, environ, slot, size, body, self._downloads)
        trace.follow(lambda: self._answer(environ, response, slot), slot)

    def _receive(self, connection: Connection) -> tuple[Environ, int, Body | None] | None:
        """The environ, the size of the whole request, and its body if it must be read from the socket."""
        try:
            seen, end = read_packet(connection)
            if not seen:
                return None
            environ = build_environ(seen if len(seen) == end else seen[:end], self._base)
            if self._fence is not None:
                self._fence.clean(environ)
            length = content_length(environ)
            if length and upload.is_nginx_s(environ):
                return upload.of_nginx(environ, length), end, None
        except BadPacketError as error:
            self._log.warning("request refused: %s", error)
            return None
        except OSError as error:
            self._log.debug("request lost: %s", error)
            return None
        if not length:
            return environ, end, None
        if len(seen) - end >= length:
            environ["wsgi.input"] = io.BytesIO(seen[end : end + length])
            return environ, end + length, None
        body = Body(connection, end, length)
        environ["wsgi.input"] = io.BufferedReader(body, _BODY_BUFFER)
        return environ, end + length, body

    def _answer(self, environ: Environ, response: Response, slot: Slot) -> None:
        result = file = None
        try:
            if VARIABLE in environ:
                file = upload.of_ours(environ)
            result = self._app(environ, response.start)
            if not slot.handed_over:
                response.send(result)
                response.finish()
                if response.is_shortened:
                    self._log.warning("%s: %s", describe(environ), TOO_LONG)
        except ClientGoneError as error:
            self._queue.left += 1
            self._log.debug("%s: the client left: %s", describe(environ), error)
        except NoRoomError as error:
            self._log.error("%s: no room for the upload: %s", describe(environ), error)
            _refuse(response)
        except BaseException as error:  # noqa: BLE001  SystemExit too: an app must not end the thread
            self._failed(error, environ, response, slot)
        finally:
            if hasattr(result, "close") and not response.closed:
                self._close(result, environ)
            if file is not None:
                file.unlink(missing_ok=True)

    def _failed(self, error: BaseException, environ: Environ, response: Response, slot: Slot) -> None:
        """Logs the app's traceback; answers 500 if nothing was sent, else leaves the response visibly cut."""
        if slot.handed_over:
            if not isinstance(error, StopIteration):  # flask-sock's way to say that it has answered by itself
                self._log.exception("%s failed on its WebSocket", describe(environ))
            return
        if response.head_sent:
            self._log.exception("%s failed, its response is cut short", describe(environ))
            return
        self._log.exception("%s failed", describe(environ))
        try:
            response.fail()
            response.finish()
        except OSError as gone:
            self._log.debug("%s: the client left: %s", describe(environ), gone)

    def _close(self, result: Any, environ: Environ) -> None:
        try:
            result.close()
        except BaseException:  # noqa: BLE001  the response is out already, there is nobody left to tell
            self._log.exception("%s failed in close()", describe(environ))


class HandedSocket:
    """The connection as `gunicorn.socket`, for apps that speak on it themselves (WebSocket).

    The first use takes the request from the socket: from then on its bytes belong to the app, and the app's result
    is dropped. Until then nothing has happened, and an app that answers in HTTP keeps every promise.
    """

    def __init__(self, connection: Connection, size: int, slot: Slot) -> None:
        self._connection = connection
        self._size = size
        self._slot = slot
        self._socket: socket.socket | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._socket is None:
            take(self._connection, self._size)
            descriptor = self._connection.detach()
            self._socket = WebSocketConnection(descriptor)
            self._slot.connection = self._socket
            self._slot.handed_over = True
            self._slot.relieve(self._slot)
        return getattr(self._socket, name)


def _not_executed(skip: Skip, response: Response) -> None:
    """A complete answer for nginx, which would otherwise retry the request at another worker."""
    if skip is Skip.LEFT:
        _say(response, "499 Client Closed Request", b"The client has closed its connection.\n")
    elif skip is Skip.EXPIRED:
        again = ("Retry-After", str(AGAIN_SECONDS))
        _say(
            response, "503 Service Unavailable", b"The server is overloaded. Try again in a moment.\n", again
        )


def _refuse(response: Response) -> None:
    """507, before the app has seen the request."""
    _say(response, "507 Insufficient Storage", b"The server has no room for this upload.\n")


def _say(response: Response, status: str, text: bytes, *headers: tuple[str, str]) -> None:
    with contextlib.suppress(OSError):
        response.start(status, [("Content-Type", "text/plain; charset=utf-8"), *headers])
        response.send([text])
        response.finish()


def describe(environ: Environ) -> str:
    """A request as part of a log line: method, path, route and request ID."""
    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    words = [str(environ.get("REQUEST_METHOD")), ascii(path)[1:-1]]
    if (route := endpoint(environ)) != "-":
        words.append(f"endpoint {route}")
    if request_id := environ.get("HTTP_X_REQUEST_ID"):
        words.append(f"request {ascii(request_id)[1:-1]}")
    return " ".join(words)


def _hang_up(slot: Slot) -> None:
    """Closes a connection that the app took over: a thread of the app may still wait in its recv."""
    slot.handed_over = False
    connection, slot.connection = slot.connection, None
    if connection is not None:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the app or nginx closed it already
        connection.close()
