"""The routes of a Starlette or FastAPI app, in the order in which it tries them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from starlette.applications import Starlette
from starlette.routing import Mount, Route, Router, WebSocketRoute, compile_path

from portico.link.app.facts.own_answers import place
from portico.site.pattern import ANYTHING, without_names

_LINE_END = r"\n?"


class Met(NamedTuple):
    """A route, with the whole path of it and the pattern of what is before its own."""

    path: str
    begins: str
    route: Any
    within: Literal["", "router", "app"] = ""
    """What it is mounted in: an app has code of its own before its routes."""

    @property
    def pattern(self) -> str:
        """Of the whole paths that it takes, without anchors and names; Python's `$` ignores a trailing newline."""
        rest = "/(?:.*)" if isinstance(self.route, Mount) else ""
        return f"{self.begins}{_piece(self.route.path)}{rest}{_LINE_END}"

    @property
    def itself(self) -> str:
        """Of a mount: its own path, with the slash."""
        return f"{self.begins}{_piece(self.route.path)}/{_LINE_END}"

    @property
    def around(self) -> str:
        """Of a mount: all that it may take or redirect."""
        return f"{self.begins}{_piece(self.route.path)}(?:/{ANYTHING})?"


def walked(
    routes: Iterable[Any], path: str = "", begins: str = "", within: Literal["", "router", "app"] = ""
) -> Iterator[Met]:
    """The routes, those of mounted routers and apps before their mount, which takes every other path below it."""
    for route in routes:
        if isinstance(route, Mount):
            mounted, inner = base_of(route), (path + route.path, begins + _piece(route.path))
            if is_plain(route.app):
                yield from walked(mounted.routes, *inner, within or "router")
            elif isinstance(mounted, Starlette):
                yield from walked(mounted.router.routes, *inner, "app")
            yield Met(path + route.path, begins, route, within)
        elif (included := _included(route)) is not None:
            prefix, inside = included
            yield from walked(inside, path + prefix, begins + _piece(prefix), within)
        elif isinstance(route, Route | WebSocketRoute):
            yield Met(path + route.path, begins, route, within)
        else:
            yield Met(path, begins, route, within)


def _piece(path: str) -> str:
    found = compile_path(path)[0].pattern
    return without_names(found.removeprefix("^").removesuffix("$"))


def is_plain(inner: Any) -> bool:
    """Whether it is a router without code of its own around its routes."""
    return type(inner) is Router and not list(own_code(inner)) and inner.middleware_stack == inner.app


def base_of(route: Mount) -> Any:
    """What is mounted, without the middleware of the mount."""
    return getattr(route, "_base_app", route.app)


def own_code(router: Router) -> Iterator[str]:
    """Code that may answer a path which none of its routes matches."""
    if getattr(router.default, "__func__", None) is not Router.not_found:
        yield f"the router's own default, {place(router.default)},"
    if getattr(router, "_low_priority_routes", ()):
        yield "routes of FastAPI's that are tried last"


def _included(route: Any) -> tuple[str, list[Any]] | None:
    """FastAPI's include_router: the prefix, and the router's routes."""
    router, context = getattr(route, "original_router", None), getattr(route, "include_context", None)
    prefix = getattr(context, "prefix", None)
    if not isinstance(router, Router) or not isinstance(prefix, str) or list(own_code(router)):
        return None
    return prefix, list(router.routes)
