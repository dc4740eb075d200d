"""The record of one WSGI request: when each step began, and the app's answer."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from portico.link.trace import HEADER, Record, Tracer
from portico.link.uwsgi import decode
from portico.link.wsgi.download import Downloads
from portico.link.wsgi.request import Body, Connection, Environ
from portico.link.wsgi.response import ExcInfo, Response
from portico.link.wsgi.thread_pool import Slot


def begin_trace(
    tracer: Tracer, environ: Environ, connection: Connection, size: int, label: str, app: Any
) -> Trace | None:
    """Removes the header from the environ; returns the trace, if it is one. `size` is the packet's size in bytes."""
    read = time.monotonic_ns()
    where = tracer.where(environ.pop(HEADER))
    if where is None:
        return None
    return Trace(read, where, environ, _passed(connection, size), label, app, tracer)


class Trace:
    """One request of a WSGI app."""

    def __init__(
        self,
        read: int,
        where: Path,
        environ: Environ,
        passed: dict[str, str],
        label: str,
        app: Any,
        tracer: Tracer,
    ) -> None:
        self._read = read
        self.tracer, self._environ, self._app = tracer, environ, app
        self.record = Record(where, label, passed=tracer.shown(passed), environ=tracer.shown(environ))

    def response(
        self,
        connection: Connection,
        environ: Environ,
        progress: Any,
        size: int,
        body: Body | None,
        downloads: Downloads | None,
    ) -> Response:
        return TracedResponse(self, connection, environ, progress, size, body, downloads)

    def follow(self, answer: Callable[[], None], slot: Slot) -> None:
        """Calls `answer`, in which the app answers on the connection of `slot`."""
        record = self.record
        record.note("taken", slot.began)
        record.note("read", self._read)
        record.write()
        steps, before = _steps(self._app), sys.getprofile()
        sys.setprofile(self._profiler(steps))
        record.note("called")  # the time between is the trace's own work
        try:
            answer()
        finally:
            sys.setprofile(before)
            record.note("ended")
            record.data |= {"ended": True, "handed_over": slot.handed_over}
            record.data["body_read"] = _taken(self._environ.get("wsgi.input"))
            record.write()

    def _profiler(self, steps: dict[CodeType, tuple[str, str]]) -> Callable[[FrameType, str, Any], None]:
        note = self.record.note

        def look(frame: FrameType, event: str, _: Any) -> None:
            if event in ("call", "return") and (step := steps.get(frame.f_code)):
                kind, name = step
                code = frame.f_code
                if kind == "template":
                    name = str(getattr(frame.f_locals.get("template"), "name", "") or "")
                note(f"{kind} {'begins' if event == 'call' else 'ends'}", name=name,
                     file=code.co_filename, line=code.co_firstlineno)  # fmt: skip

        return look


class TracedResponse(Response):
    """A Response that records its moments."""

    __slots__ = ("_trace",)

    def __init__(self, trace: Trace, *args: Any) -> None:
        super().__init__(*args)
        self._trace = trace

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], None]:
        write = super().start(status, headers, exc_info)
        self._trace.record.note("started")
        self._trace.record.data["response"] = {
            "status": status,
            "headers": self._trace.tracer.headers(headers),
            "route": self._route,
        }
        return write

    def send(self, result: Any) -> None:
        self._trace.record.note("returned", kind=type(result).__name__)
        super().send(result)
        self._trace.record.note("sent")

    def _send_head(self, data: bytes) -> None:
        super()._send_head(data)
        self._trace.record.note("head sent", bytes=len(data))
        lines = [line.partition(": ") for line in self._head.split("\r\n") if line]
        self._trace.record.data.setdefault("response", {})["sent"] = self._trace.tracer.headers(
            [(name, value) for name, _, value in lines]
        )

    def finish(self) -> None:
        super().finish()
        self._trace.record.note("finished")


def _passed(connection: Connection, size: int) -> dict[str, str]:
    """The packet as nginx sent it: it is still in the kernel's queue."""
    import socket

    variables: dict[str, str] = {}
    packet = connection.recv(size, socket.MSG_PEEK)
    if len(packet) == size:
        decode(packet, variables)
    return variables


def _taken(body: Any) -> int:
    raw = getattr(body, "raw", None)
    if isinstance(raw, Body):
        return raw.taken
    tell = getattr(body, "tell", None)
    try:
        return int(tell()) if tell else 0
    except (OSError, ValueError):
        return 0


def _steps(app: Any) -> dict[CodeType, tuple[str, str]]:
    """The code objects of a Flask app that get a row of their own; none for another framework."""
    flask_app = _flask(app)
    if flask_app is None:
        return {}
    found: dict[CodeType, tuple[str, str]] = {}
    kinds = (
        ("before_request", flask_app.before_request_funcs),
        ("after_request", flask_app.after_request_funcs),
        ("teardown_request", flask_app.teardown_request_funcs),
    )
    for endpoint, view in flask_app.view_functions.items():
        _add(found, view, "view", endpoint)
    for handlers in flask_app.error_handler_spec.values():
        for by_class in handlers.values():
            for handler in by_class.values():
                _add(found, handler, "error handler", "")
    for kind, scopes in kinds:
        for functions in scopes.values():
            for function in functions:
                _add(found, function, kind, "")
    if templating := sys.modules.get("flask.templating"):
        _add(found, getattr(templating, "_render", None), "template", "")
    return found


def _add(found: dict[CodeType, tuple[str, str]], function: Any, kind: str, name: str) -> None:
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if isinstance(code, CodeType) and code not in found:
        found[code] = (kind, name or getattr(function, "__qualname__", type(function).__name__))


def _flask(app: Any) -> Any:
    """The Flask app in a WSGI callable: itself, its bound wsgi_app, or what a middleware wraps."""
    for _ in range(6):
        app = getattr(app, "__self__", app)
        if hasattr(app, "before_request_funcs") and hasattr(app, "view_functions"):
            return app
        inner = next(
            (
                value
                for name in ("app", "wsgi_app", "application", "_app")
                if (value := getattr(app, name, None))
            ),
            None,
        )
        if inner is None:
            return None
        app = inner
    return None
