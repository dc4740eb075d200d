"""What a Pyramid app does with a path that no route matches: it looks for a view by traversal, and tweens run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyramid.httpexceptions import HTTPNotFound
from pyramid.interfaces import ITweens
from pyramid.tweens import EXCVIEW
from pyramid.view import AppendSlashNotFoundViewFactory

from portico.link.app.facts.own_answers import makes_passing, place, sets_refused


def unrouted(registry: Any, routes: list[dict[str, Any]], views: list[Any]) -> dict[str, Any]:
    """`facts.Unrouted` of the app. A wrong method is 404 in Pyramid, and left to it."""
    found = [entry["introspectable"] for entry in views]
    pages = [view for view in found if _is_of_error(view) and not _is_pyramids(view["callable"])]
    slash = any(isinstance(view["callable"], AppendSlashNotFoundViewFactory) for view in found)
    sure = [place(view["callable"]) for view in pages if sets_refused(view["callable"])]
    unsure = [place(view["callable"]) for view in pages if not sets_refused(view["callable"])]
    return {
        "rules": [{"rule": route["rule"], "pattern": route["pattern"]} for route in routes],
        "slashes": "append" if slash else "",
        "answers": [
            *_tweens(registry),
            *_traversed(found),
            *(f"the view {name}" for name in unsure),
        ],
        "page": f"the view {sure[0]}" if sure else "",
    }


def _is_of_error(view: Any) -> bool:
    context = view["context"]
    return isinstance(context, type) and issubclass(HTTPNotFound, context) and context is not object


def _is_pyramids(function: Any) -> bool:
    module = getattr(function, "__module__", None) or type(function).__module__
    return isinstance(function, AppendSlashNotFoundViewFactory) or str(module).partition(".")[0] == "pyramid"


def _traversed(views: list[Any]) -> Iterator[str]:
    for view in views:
        context, function = view["context"], view["callable"]
        is_error = isinstance(context, type) and issubclass(context, Exception)
        if (
            not view["route_name"]
            and not view["exception_only"]
            and not is_error
            and not _is_pyramids(function)
        ):
            yield f"the view {place(function)}, which is found by traversal,"


def _tweens(registry: Any) -> Iterator[str]:
    tweens = registry.queryUtility(ITweens)
    if tweens is None:
        return
    for name, factory in tweens.explicit or tweens.implicit():
        if name != EXCVIEW and not makes_passing(factory):
            yield f"the tween {name}"
