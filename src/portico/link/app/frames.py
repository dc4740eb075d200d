"""The app's own traceback, without the frames of Portico and of the import machinery."""

from __future__ import annotations

from pathlib import Path
from traceback import TracebackException

_PORTICO = f"{Path(__file__).parents[2]}/"


def own_traceback(error: BaseException) -> str:
    """The traceback of `error` and its causes, as Python prints it."""
    trace = TracebackException.from_exception(error)
    _keep_own(trace)
    return "".join(trace.format()).rstrip()


def has_own_frames(error: BaseException) -> bool:
    """True if the app's own code was running when `error` was raised."""
    trace = error.__traceback__
    while trace is not None:
        if not _is_foreign(trace.tb_frame.f_code.co_filename):
            return True
        trace = trace.tb_next
    return False


def _keep_own(trace: TracebackException | None) -> None:
    if trace is None:
        return
    trace.stack[:] = [frame for frame in trace.stack if not _is_foreign(frame.filename)]
    for other in (trace.__cause__, trace.__context__, *(getattr(trace, "exceptions", None) or ())):
        _keep_own(other)


def _is_foreign(filename: str) -> bool:
    """A file that the app's author did not write."""
    ours = filename.startswith((_PORTICO, "<frozen ", "<string>"))
    return ours or filename.endswith("/importlib/__init__.py")
