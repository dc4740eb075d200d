"""One request watched from inside, for `portico trace`; every other request pays a lookup in its environ.

Whoever may make a directory in Portico's private one may have a request watched: the header carries the directory's
name, which is random and removed after that trace. Here it is taken out of the environ, whatever it says, and if the
directory is there, what happens is written into it: once when the app is about to be called, once at the end.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from portico.link.download import Downloads
from portico.link.request import Body, Connection, Environ
from portico.link.response import ExcInfo, Response
from portico.link.thread_pool import Slot
from portico.link.uwsgi import decode

VARIABLE: Final = "PORTICO_TRACE"
"""Names the directory in which those of the traces appear."""
MASK_VARIABLE: Final = "PORTICO_TRACE_MASK"
HEADER: Final = "HTTP_X_PORTICO_TRACE"
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_SECRET: Final = re.compile(
    r"cookie|authori[sz]ation|token|secret|passw|api[-_]?key|session|csrf|xsrf|credential|signature", re.I
)
_PARAMETER: Final = re.compile(r"([^?&=#;]+)=([^&#]*)")
_WITH_QUERY: Final = frozenset(
    {"query_string", "request_uri", "http_referer", "referer", "location", "content-location", "refresh"}
)
"""Whose values hold a query."""


class Tracer:
    """Begins traces. `directory` None: never; `masked` are further names whose values are not written."""

    def __init__(self, directory: str | None, masked: tuple[str, ...] = ()) -> None:
        self._directory = directory
        self._masked = frozenset(name.lower().replace("-", "_") for name in masked if name)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Tracer:
        return cls(environment.get(VARIABLE), tuple(environment.get(MASK_VARIABLE, "").split(",")))

    def where(self, name: str) -> Path | None:
        """The directory of a trace that was asked for; None for a name that nobody entitled has made."""
        if self._directory is None or not _NAME.fullmatch(name):
            return None
        path = Path(self._directory, name)
        return path if path.is_dir() else None

    def begin(
        self, environ: Environ, connection: Connection, size: int, label: str, app: Any
    ) -> Trace | None:
        """Take the header out of the environ; the trace, if it is one. `size` are the packet's bytes."""
        read = time.monotonic_ns()
        where = self.where(environ.pop(HEADER))
        if where is None:
            return None
        return Trace(read, where, environ, _passed(connection, size), label, app, self)

    def shown(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Those that can be written down, secrets masked."""
        return {
            name: self._value(name, value)
            for name, value in variables.items()
            if isinstance(value, str | bool | int) and name != HEADER
        }

    def headers(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(str(name), str(self._value(str(name), str(value)))) for name, value in headers]

    def _value(self, name: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if self._is_secret(name):
            return masked(value) if value else value
        return self.url(value) if name.lower() in _WITH_QUERY else value

    def url(self, text: str) -> str:
        """A URL or a query with the values of secret parameters masked."""
        return _PARAMETER.sub(self._parameter, text)

    def _parameter(self, found: re.Match[str]) -> str:
        return f"{found[1]}={masked(found[2]) if self._is_secret(found[1]) else self.url(found[2])}"

    def _is_secret(self, name: str) -> bool:
        plain = name.lower().replace("-", "_").removeprefix("http_")
        return plain in self._masked or bool(_SECRET.search(name))


def masked(value: str) -> str:
    return f"(masked, {len(value)} bytes)"


class Record:
    """What is written down: moments on time.monotonic_ns, which is one clock for all processes of a machine."""

    def __init__(self, where: Path, label: str, **first: Any) -> None:
        pid, _, thread = label.partition(" ")
        self.data: dict[str, Any] = {
            "pid": int(pid),
            "thread": int(thread or 0),
            "ended": False,
            "events": [],
            **first,
        }
        self._path = where / f"{pid}-{time.monotonic_ns()}.json"

    def note(self, what: str, at: int = 0, **more: Any) -> None:
        self.data["events"].append({"what": what, "ns": at or time.monotonic_ns(), **more})

    def write(self) -> None:
        """Never fails: the request is worth more than its trace."""
        draft = self._path.with_suffix(".draft")
        try:
            draft.write_text(json.dumps(self.data))
            draft.replace(self._path)
        except (OSError, ValueError):
            pass


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
        self.record = Record(where, label, nginx=tracer.shown(passed), environ=tracer.shown(environ))

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
        """Call `answer`, which has the app answer on the connection of `slot`."""
        record = self.record
        record.note("taken", slot.began)
        record.note("read", self._read)
        record.write()
        steps, before = _steps(self._app), sys.getprofile()
        sys.setprofile(self._profiler(steps))
        record.note("called")  # what lies between is the trace's own work
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
    """A Response that notes its moments."""

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
    """The packet as nginx sent it: it still waits in the kernel's queue."""
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
    """What of a Flask app is worth a row of its own, by code; nothing for another framework."""
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
