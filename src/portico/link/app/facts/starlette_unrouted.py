"""The rules of a Starlette or FastAPI app, and what it does with a path that none of them matches."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount, Route, Router, WebSocketRoute, compile_path

from portico.link.app.facts.own_answers import passes_on, place, refuses
from portico.site.pattern import ANYTHING, escape, without_names

_PASSING = (
    "starlette.middleware.",
    "fastapi.middleware.",
    "sentry_sdk.",
    "opentelemetry.",
    "asgi_correlation_id.",
)
_THEIRS = ("starlette.", "fastapi.")
_LINE_END = {"rule": "a line end in the path", "pattern": r"[^\n]*\n(?s:.*)"}
"""A Mount does not match a path with one; it redirects another to it."""
_LEFT_OUT = r"\n?"
_ERRORS = (404, 405)


def unrouted(app: Starlette) -> dict[str, Any]:
    """`facts.Unrouted` of the app."""
    answers = list[str]()
    rules = list(_rules(app.router.routes, "", answers))
    if any(isinstance(route, Mount) for route in app.router.routes):
        rules.append(_LINE_END)
    pages = list(_handlers(app))
    unsure = list(dict.fromkeys(name for name, is_sure in pages if not is_sure))
    return {
        "rules": rules,
        "slashes": "either" if _redirects(app.router) else "",
        "answers": [*_middleware(app), *_router(app.router), *answers, *unsure],
        "page": next((name for name, is_sure in pages if is_sure), ""),
    }


def _rules(routes: Iterable[Any], prefix: str, answers: list[str]) -> Iterator[dict[str, Any]]:
    for route in routes:
        if isinstance(route, Mount):
            yield from _mounted(route, prefix, answers)
        elif isinstance(route, Route | WebSocketRoute):
            path = prefix + route.path
            yield {"rule": path, "pattern": _pattern(path), "methods": _methods(route)}
        elif (inner := _included(route)) is not None:
            yield from _rules(inner[1], prefix + inner[0], answers)
        else:
            answers.append(f"a route of the class {type(route).__qualname__}")


def _pattern(path: str) -> str:
    """The whole path, without anchors and names; Python's `$` ignores a trailing newline."""
    found = compile_path(path)[0].pattern
    return without_names(found.removeprefix("^").removesuffix("$")) + _LEFT_OUT


def _methods(route: Any) -> list[str]:
    """A route whose endpoint is a class decides itself, as a WebSocket's does."""
    methods = getattr(route, "methods", None)
    return sorted(methods) if methods else []


def _mounted(route: Mount, prefix: str, answers: list[str]) -> Iterator[dict[str, Any]]:
    inner, path = route.app, prefix + route.path
    if type(inner) is Router and not list(_router(inner)) and inner.middleware_stack == inner.app:
        yield from _rules(inner.routes, path, answers)
        yield {"rule": path or "/", "pattern": _pattern(path + "/")}
        return
    start = _pattern(path).removesuffix(_LEFT_OUT) if "{" in path else escape(path)
    yield {"rule": f"{path}/", "pattern": f"{start}(?:/{ANYTHING})?"}


def _included(route: Any) -> tuple[str, list[Any]] | None:
    """FastAPI's include_router: the prefix, and the router's routes."""
    router, context = getattr(route, "original_router", None), getattr(route, "include_context", None)
    prefix = getattr(context, "prefix", None)
    if not isinstance(router, Router) or not isinstance(prefix, str) or list(_router(router)):
        return None
    return prefix, list(router.routes)


def _router(router: Router) -> Iterator[str]:
    if getattr(router.default, "__func__", None) is not Router.not_found:
        yield f"the router's own default, {place(router.default)},"
    if getattr(router, "_low_priority_routes", ()):
        yield "routes of FastAPI's that are tried last"


def _redirects(router: Router) -> bool:
    """Whether it, or a router in it, redirects to the path with or without a trailing slash."""
    inner = [getattr(route, "original_router", getattr(route, "app", None)) for route in router.routes]
    return router.redirect_slashes or any(_redirects(one) for one in inner if isinstance(one, Router))


def _middleware(app: Starlette) -> Iterator[str]:
    for each in app.user_middleware:
        made_of = each.cls
        name = f"{made_of.__module__}.{getattr(made_of, '__qualname__', made_of)}"
        dispatch = each.kwargs.get("dispatch") or getattr(made_of, "dispatch", None)
        is_base = name == "starlette.middleware.base.BaseHTTPMiddleware"
        if name.startswith(_PASSING) and not is_base:
            continue
        if inspect.isfunction(dispatch) and passes_on(dispatch):
            continue
        if dispatch is None and inspect.isclass(made_of) and passes_on(vars(made_of).get("__call__")):
            continue
        yield f"the middleware {place(dispatch) if inspect.isfunction(dispatch) else name}"


def _handlers(app: Starlette) -> Iterator[tuple[str, bool]]:
    """The code that answers 404 and 405, and whether those statuses are certain."""
    for error, handler in app.exception_handlers.items():
        is_of_error = error in _ERRORS or (inspect.isclass(error) and error.__name__ == "HTTPException")
        if is_of_error and not str(handler.__module__).startswith(_THEIRS):
            yield f"the exception handler {place(handler)}", refuses(handler)
