"""The rules of a Starlette or FastAPI app, and what it does with a path that none of them matches."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount, Route, Router, WebSocketRoute

from portico.link.app.facts.own_answers import passes_on, place, refuses
from portico.link.app.facts.starlette_routes import is_plain, own_code, walked

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
_ERRORS = (404, 405)


def unrouted(app: Starlette) -> dict[str, Any]:
    """`facts.Unrouted` of the app."""
    answers = list[str]()
    rules = list(_rules(app.router.routes, answers))
    if any(isinstance(route, Mount) for route in app.router.routes):
        rules.append(_LINE_END)
    pages = list(_handlers(app))
    unsure = list(dict.fromkeys(name for name, is_sure in pages if not is_sure))
    return {
        "rules": rules,
        "slashes": "either" if _redirects(app.router) else "",
        "answers": [*_middleware(app), *own_code(app.router), *answers, *unsure],
        "page": next((name for name, is_sure in pages if is_sure), ""),
    }


def _rules(routes: Iterable[Any], answers: list[str]) -> Iterator[dict[str, Any]]:
    for one in walked(routes):
        if one.within == "app":
            continue  # the mount itself may answer with anything
        if isinstance(one.route, Mount):
            if is_plain(one.route.app):
                yield {"rule": one.path or "/", "pattern": one.itself}
            else:
                yield {"rule": f"{one.path}/", "pattern": one.around}
        elif isinstance(one.route, Route | WebSocketRoute) and one.pattern:
            yield {"rule": one.path, "pattern": one.pattern, "methods": _methods(one.route)}
        else:
            answers.append(f"a route of the class {type(one.route).__qualname__}")


def _methods(route: Any) -> list[str]:
    """A route whose endpoint is a class decides itself, as a WebSocket's does."""
    methods = getattr(route, "methods", None)
    return sorted(methods) if methods else []


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
