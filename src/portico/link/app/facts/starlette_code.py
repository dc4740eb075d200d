"""The code of a Starlette or FastAPI app around its routes, beside the framework's own."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette

from portico.link.app.facts.starlette_routes import is_theirs


def has_code(app: Starlette) -> bool:
    """Whether anything but the framework's router handles a request for one of its routes."""
    return bool(app.user_middleware) or not is_usual(app)


def is_usual(app: Starlette) -> bool:
    """Whether the app and its router are the framework's own, aside from middleware that was added."""
    router = app.router
    return (
        is_theirs(type(app))
        and is_theirs(type(router))
        and router.middleware_stack == router.app
        and app.middleware_stack is None
        and not {"build_middleware_stack", "router_class"} & vars(app).keys()
        and not any(callable(value) for name, value in vars(router).items() if name in ("handle", "app"))
        and not getattr(app, "root_path", "")
    )


def own_middleware(app: Starlette) -> list[str]:
    """The names of middleware that is not the framework's."""
    found = list[str]()
    for each in app.user_middleware:
        dispatch = each.kwargs.get("dispatch")
        if dispatch is not None or not is_theirs(each.cls):
            found.append(str(getattr(dispatch or each.cls, "__qualname__", each.cls)))
    return found


def prepares(app: Starlette) -> bool:
    """Whether the app does something in its lifespan, before its first request."""
    return bool(getattr(app.router, "on_startup", ())) or _is_own_lifespan(app.router.lifespan_context)


def _is_own_lifespan(context: Any) -> bool:
    """FastAPI merges the lifespans of included routers into one function."""
    if type(context).__name__ == "_DefaultLifespan":
        return False
    inner = getattr(context, "__wrapped__", context)
    if "_merge_lifespan_context" not in str(getattr(inner, "__qualname__", "")):
        return True
    return any(_is_own_lifespan(cell.cell_contents) for cell in inner.__closure__ or ())
