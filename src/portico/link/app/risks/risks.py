"""What an app exposes, or does once in every worker: read from the running app, however it was configured."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from portico.link.app.objects import is_a, is_own, objects

Risk = dict[str, str]

_SCHEDULERS = {
    ("apscheduler.schedulers.base", "BaseScheduler"): "APScheduler",
    ("apscheduler._schedulers.sync", "Scheduler"): "APScheduler",
    ("apscheduler._schedulers.async_", "AsyncScheduler"): "APScheduler",
    ("flask_apscheduler.scheduler", "APScheduler"): "Flask-APScheduler",
    ("huey.consumer", "Consumer"): "Huey's consumer",
    ("huey.contrib.mini", "MiniHuey"): "MiniHuey",
    ("celery.beat", "Service"): "Celery beat",
    ("celery.beat", "_Threaded"): "Celery beat",
    ("rq_scheduler.scheduler", "Scheduler"): "RQ scheduler",
    ("rq.scheduler", "RQScheduler"): "RQ scheduler",
    ("schedule", "Scheduler"): "schedule",
}
_ELSEWHERE = "run it in a process of its own, beside Portico: a service, a timer of systemd, cron"
_TRACEBACKS = "Portico shows tracebacks on its stderr and in `portico logs`"


def risk(kind: str, what: str, hint: str) -> Risk:
    return {"kind": kind, "what": what, "hint": hint}


def risks(layers: Iterable[Any], framework: str, inner: Any, directory: Path) -> list[Risk]:
    """The risks of an app and all that it is wrapped in; `inner` is the framework's own object, None for a plain
    callable.
    """
    found = [*_debuggers(layers), *_of_framework(framework, inner)]
    return [*found, *_schedulers(inner, directory), *_threads(directory)]


def keys(framework: str, inner: Any) -> list[tuple[str, Any]]:
    """The secret keys by name. They never leave this process."""
    asked = getattr(_module(framework), "keys", None)
    return list(asked(inner)) if asked else []


def _of_framework(framework: str, inner: Any) -> list[Risk]:
    asked = getattr(_module(framework), "risks", None)
    return list(asked(inner)) if asked else []


def _module(framework: str) -> Any:
    return importlib.import_module(f"portico.link.app.risks.{framework}") if framework else None


def _debuggers(layers: Iterable[Any]) -> Iterator[Risk]:
    for thing in layers:
        if is_a(thing, ("werkzeug.debug", "DebuggedApplication")):
            if getattr(thing, "evalex", False):
                what = (
                    "Werkzeug's debugger wraps the app: its error pages run any code that is typed into them"
                )
                yield risk("debugger", what, f"do not wrap the app in DebuggedApplication; {_TRACEBACKS}")
            else:
                what = "Werkzeug's debugger wraps the app: its error pages show the source to all visitors"
                yield risk("debug", what, f"do not wrap the app in DebuggedApplication; {_TRACEBACKS}")


def _schedulers(inner: Any, directory: Path) -> Iterator[Risk]:
    seen = set[str]()
    for where, thing in objects(inner, directory):
        name = next((text for names, text in _SCHEDULERS.items() if is_a(thing, names)), "")
        if name and name not in seen and _has_work(thing):
            seen.add(name)
            what = f"{name} ({where}) runs in every worker: each of its jobs runs once per worker"
            yield risk("scheduler", what, _ELSEWHERE)


def _has_work(scheduler: Any) -> bool:
    """A scheduler that runs or has jobs; an idle one does nothing yet."""
    scheduler = getattr(scheduler, "_scheduler", scheduler)
    states = [getattr(scheduler, name, None) for name in ("running", "_pending_jobs", "jobs")]
    return any(states) if any(state is not None for state in states) else True


def _threads(directory: Path) -> Iterator[Risk]:
    """Threads that the app's own code started at import."""
    for thread in threading.enumerate():
        if thread is threading.current_thread():
            continue
        work = getattr(thread, "function", None) or getattr(thread, "_target", None) or type(thread).run
        code = getattr(getattr(work, "__func__", work), "__code__", None)
        if code is None or not is_own(code.co_filename, directory):
            continue
        where = f"{Path(code.co_filename).relative_to(directory)}:{code.co_firstlineno}"
        kind = "a timer" if isinstance(thread, threading.Timer) else "a thread"
        what = f"{kind} was started at import ({where} {code.co_name}): every worker runs one of its own"
        yield risk("thread", what, _ELSEWHERE)
