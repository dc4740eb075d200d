"""The `portico.edge` settings on an app's views, and those that no route reaches."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from portico.site.limit import of_methods

_NOTES = "__portico_edge__"
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


def combined(views: Iterable[Any]) -> list[dict[str, Any]]:
    """The settings of one route's views, each of which may answer another method, as one part of a Route.

    More than one if two conflict; the plan reports that as an error.
    """
    found = [notes for view in views for notes in _by_method(view)]
    answers: dict[str, Any] = {}
    for notes in found:
        before = answers.get("edge", {})
        if any(before.get(name, value) != value for name, value in notes["edge"].items() if name != "limit"):
            return found
        answers = {
            "edge": notes["edge"] | before | _limits([before, notes["edge"]]),
            "where": answers.get("where", notes["where"]),
        }
    return [answers]


def _by_method(view: Any) -> list[dict[str, Any]]:
    """The settings for each method of a class-based view; for a function, one."""
    made_of = _class_of(view)
    methods = [getattr(made_of, name) for name in _METHODS if hasattr(made_of, name)] if made_of else []
    whole = [
        note for thing in _parts(view) if thing not in methods and (note := getattr(thing, _NOTES, None))
    ]
    own = [[_of_method(thing, note)] for thing in methods if (note := getattr(thing, _NOTES, None))]
    return [_told([*whole, *each]) for each in own or [[]] if whole or each]


def _of_method(function: Any, note: Any) -> Any:
    """The settings on a method of a class: its limits count that method alone."""
    if "limit" not in note:
        return note
    made = type(note)({**note, "limit": of_methods(note["limit"], [function.__name__.upper()])})
    made.where = note.where
    return made


def _told(found: list[Any]) -> dict[str, Any]:
    """The first of these settings wins."""
    settings = {name: value for note in reversed(found) for name, value in note.items()}
    return {"edge": settings | _limits(found), "where": found[0].where}


def _limits(found: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """Limits add up, wherever they are set."""
    made = list(dict.fromkeys(text for note in found for text in note.get("limit", [])))
    return {"limit": made} if made else {}


def lost(views: Iterable[Any]) -> dict[str, str]:
    """Settings that belong to no view of a route: where they are, and their views."""
    edge = sys.modules.get("portico.edge")
    if edge is None:
        return {}
    reached = {id(note) for view in views for thing in _parts(view) if (note := getattr(thing, _NOTES, None))}
    return {note.where: note.view for note in edge.noted() if id(note) not in reached}


def _parts(view: Any) -> Iterable[Any]:
    yield view
    made_of = _class_of(view)
    if made_of is None:
        return
    yield made_of
    for method in (*_METHODS, "dispatch", "dispatch_request"):
        if (function := getattr(made_of, method, None)) is not None:
            yield function


def _class_of(view: Any) -> Any:
    return getattr(view, "view_class", None) or getattr(view, "cls", None)
