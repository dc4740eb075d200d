"""The prefixes of the apps in one WSGI object: DispatcherMiddleware gives each a prefix, around an app or inside it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from portico.link.app.layers import layers
from portico.site.pattern import ANYTHING, escape

_DISPATCHER = ("werkzeug.middleware.dispatcher", "DispatcherMiddleware")


def mounted(
    application: Any, is_app: Callable[[Any], object], prefix: str = "", seen: frozenset[int] = frozenset()
) -> Iterator[tuple[str, Any]]:
    """Each app with its prefix, in the order in which paths are dispatched.

    An app with a wrapper (`app.wsgi_app = ...`) has the place at which the wrapper calls it.
    """
    for thing in layers(application):
        if is_dispatcher(thing):
            for path in sorted(thing.mounts, key=len, reverse=True):
                yield from mounted(thing.mounts[path], is_app, prefix + path.rstrip("/"), seen)
            yield from mounted(thing.app, is_app, prefix, seen)
            return
        if is_app(thing):
            own = getattr(thing, "__dict__", {}).get("wsgi_app")
            if own is None or id(thing) in seen:
                yield prefix, thing
                return
            found = list(mounted(own, is_app, prefix, seen | {id(thing)}))
            yield from found if any(one is thing for _, one in found) else [(prefix, thing)]
            return


def is_dispatcher(thing: Any) -> bool:
    """Whether it dispatches to apps by prefix."""
    return _DISPATCHER in ((base.__module__, base.__name__) for base in type(thing).__mro__)


def unread(app: Any, routes: Iterable[Mapping[str, Any]]) -> list[str]:
    """A note if settings of views depend on a wrapper around the app's own `wsgi_app` that may change paths."""
    own = getattr(app, "__dict__", {}).get("wsgi_app")
    known = ("werkzeug.middleware.", "whitenoise.", "flask.", "flask_socketio", "socketio.", "engineio.")
    unknown = [
        thing
        for thing in (layers(own) if own is not None else ())
        if thing is not app and not inspect.ismethod(thing) and not type(thing).__module__.startswith(known)
    ]
    if not unknown or not any(route.get("edge") for route in routes):
        return []
    name = getattr(unknown[0], "__name__", type(unknown[0]).__name__)
    what = (
        "when that takes a prefix off the path, @edge holds without the prefix only; give it as mount instead"
    )
    return [f"wsgi_app is wrapped in {name}: {what}"]


def moved(answers: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """An app's facts about its paths, with its prefix."""
    if not prefix:
        return dict(answers)
    routes = [
        route
        | {"rule": prefix + route["rule"]}
        | ({"pattern": escape(prefix) + route["pattern"]} if route["pattern"] else {})
        for route in answers.get("routes", [])
    ]
    folders = {
        key: [folder | {"url": prefix + folder["url"]} for folder in answers.get(key, [])]
        for key in ("static", "left")
    }
    never = [escape(prefix) + pattern for pattern in answers.get("never_kept", [])]
    made = {**answers, "routes": routes, **folders, "never_kept": never}
    if unrouted := answers.get("unrouted"):
        rules = [
            {**rule, "rule": prefix + rule["rule"]}
            | ({"pattern": escape(prefix) + rule["pattern"]} if rule["pattern"] else {})
            for rule in unrouted["rules"]
        ]
        made["unrouted"] = {**unrouted, "rules": rules}
    return made


def together(parts: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """The merged facts of several apps of one framework, with their prefixes; each prefix shadows later apps below
    it.
    """
    (_, first), rank = parts[-1], 0
    made = dict(first) | {"routes": [], "lost": {}}
    for key in ("static", "left", "never_kept", "notes"):
        made[key] = [item for _, answers in parts for item in answers.get(key, [])]
    made["notes"] = list(dict.fromkeys(made["notes"]))
    for prefix, answers in parts:
        routes = [route | {"rank": route["rank"] + rank} for route in answers.get("routes", [])]
        rank += 1 + max((route["rank"] for route in answers.get("routes", [])), default=0)
        made["routes"] += routes
        if prefix:
            everything = f"{escape(prefix)}(?:/{ANYTHING})?"
            made["routes"].append({"rule": f"{prefix}/", "pattern": everything, "rank": rank})
            rank += 1
    if all(answers.get("unrouted") for _, answers in parts):
        made["unrouted"] = _unrouted([answers["unrouted"] for _, answers in parts])
    reached = [answers.get("lost", {}) for _, answers in parts]
    made["lost"] = {where: view for where, view in reached[0].items() if all(where in one for one in reached)}
    return made


def _unrouted(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The unrouted facts of several apps together."""
    return {
        **parts[-1],
        "rules": [rule for part in parts for rule in part["rules"]],
        "answers": list(dict.fromkeys(answer for part in parts for answer in part["answers"])),
        "page": next((part["page"] for part in parts if part["page"]), ""),
    }
