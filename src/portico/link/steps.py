"""The functions of an app that get a row of their own in `portico trace`: middleware, hooks, views, templates."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any, NamedTuple

_DEEPEST = 6
"""So many wrappers are looked behind, and so deep are mounts and dependencies followed."""
_INNER = ("app", "wsgi_app", "application", "_app")
"""The attributes in which wrappers keep the app."""


class Step(NamedTuple):
    """A function of the app: what it is to the framework, and its name."""

    kind: str
    name: str


def steps(app: Any) -> dict[CodeType, Step]:
    """The steps of a Flask, Quart, Starlette or FastAPI app by their code; none for another framework."""
    found: dict[CodeType, Step] = {}
    with suppress(
        Exception
    ):  # objects of an app may do anything when they are asked: then it has these steps
        for one in _layers(app):
            if hasattr(one, "before_request_funcs") and hasattr(one, "view_functions"):
                _of_flask(found, one)
                break
            if hasattr(one, "user_middleware") and hasattr(one, "routes"):
                _of_starlette(found, one, _DEEPEST)
                break
    return found


def of_frame(step: Step, frame: FrameType) -> dict[str, Any]:
    """The step that runs in this frame: its name and where its code begins."""
    name, code = step.name, frame.f_code
    if step.kind == "template":
        with suppress(Exception):
            name = str(getattr(frame.f_locals.get("template"), "name", "") or "")
    return {"name": name, "file": code.co_filename, "line": code.co_firstlineno}


def _layers(app: Any) -> Iterator[Any]:
    """The callable, and what it wraps, the outermost first."""
    for _ in range(_DEEPEST):
        app = getattr(app, "__self__", app)
        yield app
        app = next((value for name in _INNER if (value := getattr(app, name, None))), None)
        if app is None:
            return


def _of_flask(found: dict[CodeType, Step], app: Any) -> None:
    for endpoint, view in app.view_functions.items():
        _add(found, view, "view", endpoint)
    for handlers in app.error_handler_spec.values():
        for by_class in handlers.values():
            for handler in by_class.values():
                _add(found, handler, "error handler")
    for kind in ("before_request", "after_request", "teardown_request"):
        for functions in getattr(app, f"{kind}_funcs").values():
            for function in functions:
                _add(found, function, kind)
    if templating := sys.modules.get("flask.templating"):
        _add(found, getattr(templating, "_render", None), "template")


def _of_starlette(found: dict[CodeType, Step], app: Any, depth: int) -> None:
    for one in getattr(app, "user_middleware", ()):
        kind = getattr(one, "cls", None)
        dispatch = (getattr(one, "kwargs", None) or {}).get("dispatch") or getattr(kind, "dispatch", None)
        name = getattr(kind, "__name__", "")
        if dispatch is not None:
            _add(found, dispatch, "middleware", "" if name == "BaseHTTPMiddleware" else name)
        elif isinstance(kind, type):
            _add(found, kind.__call__, "middleware", name)
    for handler in (getattr(app, "exception_handlers", None) or {}).values():
        _add(found, handler, "error handler")
    for route in getattr(app, "routes", None) or ():
        _of_route(found, route, depth)


def _of_route(found: dict[CodeType, Step], route: Any, depth: int) -> None:
    endpoint = getattr(route, "endpoint", None)
    if isinstance(endpoint, type):  # a class with a method for each of HTTP's
        for name in ("get", "post", "put", "patch", "delete", "head", "options", "on_receive"):
            _add(found, getattr(endpoint, name, None), "view", f"{endpoint.__name__}.{name}")
    else:
        _add(found, endpoint, "view")
    if depth:
        _of_dependencies(found, getattr(getattr(route, "dependant", None), "dependencies", ()), depth)
        inner = getattr(route, "app", None)
        if endpoint is None and inner is not None:
            _of_starlette(found, inner, depth - 1)


def _of_dependencies(found: dict[CodeType, Step], dependencies: Iterable[Any], depth: int) -> None:
    for one in dependencies if depth else ():
        _add(found, getattr(one, "call", None), "dependency")
        _of_dependencies(found, getattr(one, "dependencies", ()), depth - 1)


def _add(found: dict[CodeType, Step], function: Any, kind: str, name: str = "") -> None:
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if isinstance(code, CodeType) and code not in found:
        found[code] = Step(kind, name or getattr(function, "__qualname__", type(function).__name__))
