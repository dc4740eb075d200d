"""What a Pyramid app says about itself, through its introspector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyramid
from pyramid.path import AssetResolver
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.static import static_view

from portico.link.app.version import version_of

_SUBPATH = "*subpath"


def facts(router: Any) -> dict[str, Any]:
    """The part of AppFacts a Pyramid app can give. It has no upload limit of its own."""
    introspector = router.registry.introspector
    notes: list[str] = []
    views = introspector.get_category("views") or []
    routes = introspector.get_category("routes") or []
    return {
        "kind": "pyramid",
        "version": version_of("pyramid", pyramid.__file__),
        "static": sorted(_static_folders(introspector, views, notes), key=lambda folder: folder["url"]),
        "routes": sorted(
            (_route(entry["introspectable"]) for entry in routes), key=lambda told: told["rule"]
        ),
        "notes": notes,
    }


def _static_folders(introspector: Any, views: list[Any], notes: list[str]) -> Iterator[dict[str, str]]:
    for entry in views:
        view = entry["introspectable"]
        route = introspector.get("routes", view["route_name"])
        if type(view["callable"]) is static_view and route and route["pattern"].endswith(_SUBPATH):
            yield from _static(view["callable"], route, entry["related"], notes)


def _static(view: Any, route: Any, related: list[Any], notes: list[str]) -> Iterator[dict[str, str]]:
    url = "/" + route["pattern"].removesuffix(_SUBPATH).lstrip("/")
    folder = _folder(view)
    if problem := _why_not(url, route, related):
        notes.append(f"static view {url} is left to the app: {problem}")
    elif not Path(folder).is_dir():
        notes.append(f"static view {url} has no folder: {folder}")
    else:
        yield {"url": url, "folder": folder, "origin": f"static view {url}"}


def _folder(view: Any) -> str:
    if not view.package_name:
        return str(Path(view.docroot).absolute())
    return str(Path(AssetResolver(view.package_name).resolve(view.docroot).abspath()))


def _why_not(url: str, route: Any, related: list[Any]) -> str:
    permissions = [found["value"] for found in related if found.category_name == "permissions"]
    if any(permission != NO_PERMISSION_REQUIRED for permission in permissions):
        return f"it asks for the permission {permissions[0]!r}"
    if "{" in url or url == "/":
        return f"its URL is a pattern or the whole site ({url})"
    return "it has predicates of its own" if route["object"].predicates else ""


def _route(route: Any) -> dict[str, Any]:
    methods = route["request_methods"] or ()
    methods = (methods,) if isinstance(methods, str) else methods
    added = {"HEAD"} if "GET" in methods else set()  # pyramid.predicates.RequestMethodPredicate adds it
    return {
        "rule": "/" + route["pattern"].lstrip("/"),
        "methods": sorted(set(methods) - added),
        "endpoint": route["name"],
    }
