"""The worker's record of an ASGI request for `portico trace`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from operator import itemgetter
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any, Final

from portico.link.receive import Message, Receive
from portico.link.steps import Step, of_frame, steps
from portico.link.trace import Record, Tracer

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]


_FUNCTIONS: Final = (FunctionType, MethodType)
_MOST_RUNS: Final = 1000
"""A view that calls a step in a loop would fill the memory."""


def begin(tracer: Tracer, name: str, scope: Scope) -> Record | None:
    """Starts recording a request if an authorized user asked for it."""
    where = tracer.where(name)
    if where is None:
        return None
    headers = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in scope["headers"]]
    seen = {
        "REQUEST_METHOD": scope.get("method", "GET"),
        "SCRIPT_NAME": scope.get("root_path", ""), "PATH_INFO": scope["path"],
        "QUERY_STRING": scope["query_string"].decode("latin-1"), "wsgi.url_scheme": scope["scheme"],
        "REMOTE_ADDR": scope["client"][0],
    } | {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers}  # fmt: skip
    record = Record(where, f"{os.getpid()} 0", passed={}, environ=tracer.shown(seen))
    record.note("taken")
    record.note("read")
    return record


async def follow(app: App, record: Record, scope: Scope, receive: Receive, send: Send) -> None:
    """Calls the app, and writes the record before and after."""
    record.note("called")
    record.write()
    follower = Follower(app)
    try:
        with follower:
            await app(scope, receive, send)
    finally:
        follower.tell(record)
        record.note("ended")
        record.data["ended"] = True
        record.write()


class Follower:
    """The way of one request through the app: its steps, as the event loop enters and leaves them.

    While there is one, the interpreter tells of every call in this thread: other requests are slower meanwhile. What
    runs in a thread is followed by the call that hands it over.
    """

    _open = 0
    _found_profile: Any = None
    """What the app itself had set."""

    def __init__(self, app: App) -> None:
        self._steps = steps(app)
        self._handed_over = _codes_of_handing_over()
        self._runs = dict[FrameType, _Run]()

    def __enter__(self) -> None:
        self._before = _follower.set(self)
        if not Follower._open:
            Follower._found_profile = sys.getprofile()
            sys.setprofile(_look)
        Follower._open += 1

    def __exit__(self, *_: object) -> None:
        Follower._open -= 1
        if not Follower._open and sys.getprofile() is _look:
            sys.setprofile(Follower._found_profile)
        _follower.reset(self._before)

    def look(self, frame: FrameType) -> None:
        """The frame begins, goes on, waits or ends: a coroutine does so again and again."""
        code = frame.f_code
        if code not in self._steps and code not in self._handed_over:
            return
        run = self._runs.get(frame)
        if run is None:
            if len(self._runs) == _MOST_RUNS or (run := self._run_of(frame)) is None:
                return
            self._runs[frame] = run
        run.ends = time.monotonic_ns()

    def _run_of(self, frame: FrameType) -> _Run | None:
        if step := self._steps.get(frame.f_code):
            return _Run(step, of_frame(step, frame))
        for value in _values(frame.f_locals):
            code = (
                value.__code__ if type(value) in _FUNCTIONS else None
            )  # an app's proxy may do anything when asked
            if code and (step := self._steps.get(code)):
                return _Run(step, {"name": step.name, "file": code.co_filename, "line": code.co_firstlineno})
        return None

    def tell(self, record: Record) -> None:
        """Notes the steps; the record orders them by time."""
        for run in self._runs.values():
            record.note(f"{run.step.kind} begins", run.begins, **run.place)
            record.note(f"{run.step.kind} ends", run.ends, **run.place)
        record.data["events"].sort(key=itemgetter("ns"))
        self._runs.clear()


class _Run:
    """A step of one request, and when it began and ended (time.monotonic_ns)."""

    def __init__(self, step: Step, place: dict[str, Any]) -> None:
        self.step, self.place = step, place
        self.begins = self.ends = time.monotonic_ns()


_follower: ContextVar[Follower | None] = ContextVar("portico_follower", default=None)


def _look(frame: FrameType, event: str, _: Any) -> None:
    """Never raises: what it raised, the app's own call would raise."""
    if event in ("call", "return") and (follower := _follower.get()):
        with suppress(Exception):
            follower.look(frame)


def _codes_of_handing_over() -> tuple[CodeType, ...]:
    """The functions by which Starlette and asgiref have a thread run a function that would block."""
    asgiref = getattr(sys.modules.get("asgiref.sync"), "SyncToAsync", object)
    found = getattr(sys.modules.get("starlette.concurrency"), "run_in_threadpool", None), asgiref.__call__
    return tuple(one.__code__ for one in found if isinstance(one, FunctionType))


def _values(names: Mapping[str, Any]) -> Iterator[Any]:
    """The values of a frame's variables, and what is in its tuples and tables of arguments."""
    for value in list(names.values()):
        yield value
        if isinstance(value, tuple):
            yield from value
        elif isinstance(value, dict):
            yield from value.values()


def note(record: Record, tracer: Tracer, message: Message) -> None:
    """Records a message that the app sends."""
    if message["type"] == "http.response.start":
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in message.get("headers", ())]
        record.note("started")
        record.data["response"] = {
            "status": str(message["status"]),
            "headers": tracer.headers(headers),
            "route": "",
        }
    elif message["type"] == "http.response.body" and not message.get("more_body"):
        record.note("sent")
    elif message["type"] == "websocket.accept":
        record.note("handed over")
