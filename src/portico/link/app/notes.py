"""What `portico.edge` noted on the views of an app, and which notes no route reaches."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

_NOTES = "__portico_edge__"


def notes_of(view: Any) -> dict[str, Any]:
    """The notes on a view, on the class that it is made of, or on one of that class's methods, as part of a Route."""
    found = [note for thing in _parts(view) if (note := getattr(thing, _NOTES, None))]
    settings = {name: value for note in reversed(found) for name, value in note.items()}
    return {"edge": settings, "where": found[0].where} if found else {}


def lost(views: Iterable[Any]) -> dict[str, str]:
    """Notes that none of the views has: where they stand, and whose they are."""
    edge = sys.modules.get("portico.edge")
    if edge is None:
        return {}
    reached = {id(note) for view in views for thing in _parts(view) if (note := getattr(thing, _NOTES, None))}
    return {note.where: note.view for note in edge.noted() if id(note) not in reached}


def _parts(view: Any) -> Iterable[Any]:
    yield view
    made_of = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if made_of is None:
        return
    yield made_of
    for method in (
        "get",
        "post",
        "put",
        "patch",
        "delete",
        "head",
        "options",
        "dispatch",
        "dispatch_request",
    ):
        if (function := getattr(made_of, method, None)) is not None:
            yield function
