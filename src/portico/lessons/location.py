"""Which location answers: the site's own locations and paths."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from msgspec import Struct

from portico.lessons.model import Lesson, Question, lesson, question

TITLE = "Which location answers"
_WORDS = (
    "nginx chooses one location for each request, by the path alone: an exact one (=) at once, else the longest "
    "prefix; a pattern (~) comes before a plain prefix, but not before one with ^~. The copy has {count} locations "
    "with a path."
)


class Located(Struct, frozen=True):
    """The location that answered the path, and why; `others` are the site's other locations, the likely ones first."""

    path: str
    location: str
    why: str
    others: tuple[str, ...]


def location(found: Sequence[Located], count: int) -> Lesson:
    return lesson(TITLE, _WORDS.format(count=count), [_question(one) for one in found])


def _question(one: Located) -> Question | None:
    return question(
        f"GET {one.path}: which location answers?",
        one.location,
        one.others,
        "Is one of them this path exactly? Else look for the longest prefix, and whether a pattern may come before it.",
        (
            f"{one.location} answered. A second nginx was asked: it has the same locations, each says its name.",
            *([f"{one.why[0].upper()}{one.why[1:]}."] if one.why else []),
        ),
        f"portico explain --why {shlex.quote(f'GET {one.path}')}",
    )
