"""The facts of a Pyramid app, from its introspector."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyramid
from pyramid.interfaces import IRoutesMapper, ITweens
from pyramid.path import AssetResolver
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.static import static_view
from pyramid.tweens import EXCVIEW

from portico.link.app.facts.notes import combined, lost
from portico.link.app.facts.pyramid_unrouted import unrouted
from portico.link.app.facts.version import version_of
from portico.site.pattern import escape, without_names

_OLD_PLACEHOLDER = re.compile(r":([_a-zA-Z]\w*)")
_STAR = re.compile(r"\*(\w*)$")
_SUBPATH = "*subpath"
_PLACEHOLDER = re.compile(r"\{[A-Za-z_]\w*(?::(?P<regex>(?:[^{}]|\{[^{}]*\})+))?\}")


def facts(router: Any) -> dict[str, Any]:
    """The part of AppFacts that a Pyramid app can provide. It has no upload limit of its own."""
    introspector = router.registry.introspector
    notes: list[str] = []
    left: list[dict[str, str]] = []
    views = introspector.get_category("views") or []
    routes = introspector.get_category("routes") or []
    guard = {"is_guarded": _is_guarded(router.registry)}
    static = [folder | guard for folder in _static_folders(introspector, views, notes, left)]
    matched = [_route(entry["introspectable"]) for entry in routes]
    return {
        "kind": "pyramid",
        "version": version_of("pyramid", pyramid.__file__),
        "static": sorted(static, key=lambda folder: str(folder["url"])),
        "left": sorted(left, key=lambda folder: folder["url"]),
        "life": r"(?:public, )?max-age=\d+(?:, public)?",  # cache_max_age of add_static_view
        "routes": sorted(_routes(router, routes, views), key=lambda entry: entry["rule"]),
        "unrouted": unrouted(router.registry, matched, views),
        "lost": lost(_callable(entry["introspectable"]) for entry in views if _has_route(entry, routes)),
        "notes": notes,
    }


def _is_guarded(registry: Any) -> bool:
    """Whether the app's own tweens, subscribers or view derivers see each request."""
    tweens = registry.queryUtility(ITweens)
    names = {name for name, _ in tweens.implicit()} if tweens else set()
    derivers = registry.introspector.get_category("view derivers") or []
    own = any(not _is_pyramids(entry["introspectable"]["deriver"]) for entry in derivers)
    return bool(names - {EXCVIEW} or (tweens and tweens.explicit) or registry.has_listeners or own)


def _is_pyramids(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).partition(".")[0] == "pyramid"


def _static_folders(
    introspector: Any, views: list[Any], notes: list[str], left: list[dict[str, str]]
) -> Iterator[dict[str, Any]]:
    for entry in views:
        view = entry["introspectable"]
        route = introspector.get("routes", view["route_name"])
        if type(view["callable"]) is static_view and route and route["pattern"].endswith(_SUBPATH):
            yield from _static(view["callable"], route, entry["related"], notes, left)


def _static(
    view: Any, route: Any, related: list[Any], notes: list[str], left: list[dict[str, str]]
) -> Iterator[dict[str, Any]]:
    url = "/" + route["pattern"].removesuffix(_SUBPATH).lstrip("/")
    folder = {"url": url, "folder": _folder(view), "origin": f"static view {url}"}
    if "{" in url or url == "/":
        notes.append(f"static view {url} is left to the app: its URL is a pattern or the whole site ({url})")
    elif problem := _why_not(route, related):
        left.append(folder | {"why": problem})
    elif not Path(folder["folder"]).is_dir():
        notes.append(f"static view {url} has no folder: {folder['folder']}")
    else:
        yield folder


def _folder(view: Any) -> str:
    if not view.package_name:
        return str(Path(view.docroot).absolute())
    return str(Path(AssetResolver(view.package_name).resolve(view.docroot).abspath()))


def _why_not(route: Any, related: list[Any]) -> str:
    permissions = [found["value"] for found in related if found.category_name == "permissions"]
    if any(permission != NO_PERMISSION_REQUIRED for permission in permissions):
        return f"it asks for the permission {permissions[0]!r}"
    return "it has predicates of its own" if route["object"].predicates else ""


def _has_route(view: Any, routes: list[Any]) -> bool:
    """Whether a route matches the path; traversal views have none."""
    name = view["introspectable"]["route_name"]
    return any(entry["introspectable"]["name"] == name for entry in routes)


def _callable(view: Any) -> Any:
    """The argument of `add_view`: a function, or with `attr` a method of a class."""
    return getattr(view["callable"], view["attr"], view["callable"]) if view["attr"] else view["callable"]


def _notes(name: str, views: list[Any]) -> list[dict[str, Any]]:
    """The settings of a route's views, of which there may be one for each method."""
    return combined(
        _callable(entry["introspectable"]) for entry in views if entry["introspectable"]["route_name"] == name
    )


def _pattern(text: str) -> str:
    """A route pattern as a regular expression: `{name}`, `{name:regex}`, `:name`, `*rest`.

    Pyramid ignores a trailing newline.
    """
    if not _PLACEHOLDER.search(text):
        text = _OLD_PLACEHOLDER.sub(r"{\1}", text)
    text = "/" + text.removeprefix("/")
    star = _STAR.search(text)
    bare, made, at = text[: star.start()] if star else text, "", 0
    for found in _PLACEHOLDER.finditer(bare):
        made += escape(bare[at : found.start()]) + f"(?:{without_names(found['regex'] or '[^/]+')})"
        at = found.end()
    return made + escape(bare[at:]) + (".*?" if star and star[1] else "") + r"\n?"


def _routes(router: Any, routes: list[Any], views: list[Any]) -> Iterator[dict[str, Any]]:
    """The routes that Pyramid matches paths with; others only make URLs."""
    ranks = {route.name: number for number, route in enumerate(_matched(router.registry))}
    for entry in routes:
        route = entry["introspectable"]
        if route["name"] in ranks:
            for notes in _notes(route["name"], views):
                yield _route(route) | {"rank": ranks[route["name"]]} | notes


def _matched(registry: Any) -> list[Any]:
    mapper = registry.queryUtility(IRoutesMapper)
    return list(mapper.get_routes()) if mapper else []


def _route(route: Any) -> dict[str, Any]:
    methods = route["request_methods"] or ()
    methods = (methods,) if isinstance(methods, str) else methods
    added = {"HEAD"} if "GET" in methods else set()  # pyramid.predicates.RequestMethodPredicate adds it
    return {
        "rule": "/" + route["pattern"].lstrip("/"),
        "methods": sorted(set(methods) - added),
        "endpoint": route["name"],
        "pattern": _pattern(route["pattern"]),
    }
