"""The record of one WSGI request: when each step began, and the app's answer."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from portico.link.steps import Step, of_frame, steps
from portico.link.trace import HEADER, Record, Tracer
from portico.link.uwsgi import decode
from portico.link.wsgi.download import Downloads
from portico.link.wsgi.request import Body, Connection, Environ
from portico.link.wsgi.response import ExcInfo, TimedResponse
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
    ) -> TracedResponse:
        return TracedResponse(self, connection, environ, progress, size, body, downloads)

    def follow(self, answer: Callable[[], None], slot: Slot) -> None:
        """Calls `answer`, in which the app answers on the connection of `slot`."""
        record = self.record
        record.note("taken", slot.began)
        record.note("read", self._read)
        record.write()
        found, before = steps(self._app), sys.getprofile()
        sys.setprofile(self._profiler(found))
        record.note("called")  # the time between is the trace's own work
        try:
            answer()
        finally:
            sys.setprofile(before)
            record.note("ended")
            record.data |= {"ended": True, "handed_over": slot.handed_over}
            record.data["body_read"] = _taken(self._environ.get("wsgi.input"))
            record.write()

    def _profiler(self, found: dict[CodeType, Step]) -> Callable[[FrameType, str, Any], None]:
        note = self.record.note

        def look(frame: FrameType, event: str, _: Any) -> None:
            if event in ("call", "return") and (step := found.get(frame.f_code)):
                which = "begins" if event == "call" else "ends"
                note(f"{step.kind} {which}", **of_frame(step, frame))

        return look


class TracedResponse(TimedResponse):
    """A response that records its moments."""

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
