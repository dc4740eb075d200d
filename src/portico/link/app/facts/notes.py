"""What `portico.edge` noted on the views of an app, and which notes no route reaches."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from portico.site.limit import of_methods

_NOTES = "__portico_edge__"
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


def combined(views: Iterable[Any]) -> list[dict[str, Any]]:
    """The notes of the views of one route, each of which may answer another method: one part of a Route for all.

    More than one where two want two things; the plan is an error then.
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
    """The notes for each method of a view that is a class; for a function, one."""
    made_of = _class_of(view)
    methods = [getattr(made_of, name) for name in _METHODS if hasattr(made_of, name)] if made_of else []
    whole = [
        note for thing in _parts(view) if thing not in methods and (note := getattr(thing, _NOTES, None))
    ]
    own = [[_of_method(thing, note)] for thing in methods if (note := getattr(thing, _NOTES, None))]
    return [_told([*whole, *each]) for each in own or [[]] if whole or each]


def _of_method(function: Any, note: Any) -> Any:
    """What is noted on a method of a class: its limits count that method alone."""
    if "limit" not in note:
        return note
    made = type(note)({**note, "limit": of_methods(note["limit"], [function.__name__.upper()])})
    made.where = note.where
    return made


def _told(found: list[Any]) -> dict[str, Any]:
    """The first of these notes wins."""
    settings = {name: value for note in reversed(found) for name, value in note.items()}
    return {"edge": settings | _limits(found), "where": found[0].where}


def _limits(found: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """Limits add up, wherever they are noted."""
    made = list(dict.fromkeys(text for note in found for text in note.get("limit", [])))
    return {"limit": made} if made else {}


def lost(views: Iterable[Any]) -> dict[str, str]:
    """Notes that none of the views has: where they stand, and whose they are."""
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
