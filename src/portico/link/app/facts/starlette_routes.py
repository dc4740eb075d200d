"""The routes of a Starlette or FastAPI app, in the order in which it tries them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from starlette.applications import Starlette
from starlette.routing import Mount, Router, compile_path

from portico.link.app.facts import own_answers
from portico.site.pattern import ANYTHING, without_names

_LINE_END = r"\n?"
_THEIRS = ("starlette.", "fastapi.")


class Met(NamedTuple):
    """A route, with the whole path of it: `own` is below its mounts, and `begins` the pattern of those."""

    path: str
    begins: str
    own: str
    route: Any
    within: Literal["", "router", "app"] = ""
    """What it is mounted in: an app has code of its own before its routes."""

    @property
    def pattern(self) -> str:
        """Of the whole paths that it takes, without anchors and names; Python's `$` ignores a trailing newline.

        Empty for a route that matches in a way of its own.
        """
        rest = "/(?:.*)" if isinstance(self.route, Mount) else ""
        is_usual = matches_as_usual(self.route) and self.own[:1] in ("", "/")
        return f"{self.begins}{_piece(self.own)}{rest}{_LINE_END}" if is_usual else ""

    @property
    def itself(self) -> str:
        """Of a mount: its own path, with the slash."""
        return f"{self.begins}{_piece(self.own)}/{_LINE_END}"

    @property
    def around(self) -> str:
        """Of a mount: all that it may take or redirect."""
        return f"{self.begins}{_piece(self.own)}(?:/{ANYTHING})?"


class _Place(NamedTuple):
    """Where routes are: below a path of mounts, with its pattern, and with a prefix of include_router."""

    path: str = ""
    begins: str = ""
    lead: str = ""
    within: Literal["", "router", "app"] = ""

    def met(self, route: Any) -> Met:
        own = self.lead + str(getattr(route, "path", ""))
        return Met(self.path + own, self.begins, own, route, self.within)

    def below(self, mount: Mount, within: Literal["router", "app"]) -> _Place:
        own = self.lead + mount.path
        return _Place(
            self.path + own,
            self.begins + _piece(own),
            "",
            self.within if within == "router" and self.within else within,
        )


def walked(routes: Iterable[Any], place: _Place = _Place()) -> Iterator[Met]:  # noqa: B008  it cannot be changed
    """The routes, those of mounted routers and apps before their mount, which takes every other path below it."""
    for route in routes:
        if isinstance(route, Mount):
            mounted = base_of(route)
            if is_plain(route.app):
                yield from walked(mounted.routes, place.below(route, "router"))
            elif isinstance(mounted, Starlette):
                yield from walked(mounted.router.routes, place.below(route, "app"))
            yield place.met(route)
        elif (included := _included(route)) is not None:
            prefix, inside = included
            yield from walked(inside, place._replace(lead=place.lead + prefix))
        else:
            yield place.met(route)


def _piece(path: str) -> str:
    found = compile_path(path)[0].pattern
    return without_names(found.removeprefix("^").removesuffix("$"))


def matches_as_usual(route: Any) -> bool:
    """Whether Starlette's or FastAPI's own code chooses it, by its path."""
    own = type(route)
    path = f"{route.path}/{{path:path}}" if isinstance(route, Mount) else route.path
    return (
        is_theirs(own.matches)
        and is_theirs(own.handle)
        and not {"matches", "handle"} & vars(route).keys()
        and route.path_regex == compile_path(path)[0]
    )


def is_theirs(thing: Any) -> bool:
    """Whether a class or function is Starlette's or FastAPI's."""
    code = getattr(thing, "__code__", None)
    module = sys.modules.get(str(getattr(thing, "__module__", "")))
    is_there = code is None or code.co_filename == getattr(module, "__file__", "")
    return str(getattr(thing, "__module__", "")).startswith(_THEIRS) and is_there


def is_plain(inner: Any) -> bool:
    """Whether it is a router without code of its own around its routes."""
    return type(inner) is Router and not list(own_code(inner)) and inner.middleware_stack == inner.app


def base_of(route: Mount) -> Any:
    """What is mounted, without the middleware of the mount."""
    return getattr(route, "_base_app", route.app)


def own_code(router: Router) -> Iterator[str]:
    """Code that may answer a path which none of its routes matches."""
    if getattr(router.default, "__func__", None) is not Router.not_found:
        yield f"the router's own default, {own_answers.place(router.default)},"
    if getattr(router, "_low_priority_routes", ()):
        yield "routes of FastAPI's that are tried last"


def _included(route: Any) -> tuple[str, list[Any]] | None:
    """FastAPI's include_router: the prefix, and the router's routes."""
    router, context = getattr(route, "original_router", None), getattr(route, "include_context", None)
    prefix = getattr(context, "prefix", None)
    if not isinstance(router, Router) or not isinstance(prefix, str) or list(own_code(router)):
        return None
    if not is_theirs(type(router)) or "handle" in vars(router):
        return None
    return prefix, list(router.routes)
