"""Which step is missing: a request that the gateway answers without the app, beside one that the app answers."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from msgspec import Struct

from portico.lessons.model import Lesson, Question, lesson, question
from portico.lessons.stages import decision, stages
from portico.protocol.trace import Trace

TITLE = "Which step is missing"
_WORDS = (
    "Not every request takes every step. GET {path} took {count} steps in the copy, from the client to the app and "
    "back. Others end earlier, or go another way."
)


class Shorter(Struct, frozen=True):
    """A request whose way is shorter; `what` says what is special about it, and `command` shows it."""

    what: str
    trace: Trace
    command: str


def missing(whole: Trace, path: str, others: Sequence[Shorter]) -> Lesson:
    words = _WORDS.format(path=path, count=len(whole.rows))
    return lesson(TITLE, words, [_question(whole, path, one, at) for at, one in enumerate(others)])


def _question(whole: Trace, path: str, other: Shorter, at: int) -> Question | None:
    there = stages(other.trace)
    gone = [stage for stage in stages(whole) if stage not in there]
    if not gone:
        return None
    gateway = whole.gateway
    both = [stage.said(gateway) for stage in there if stage in stages(whole)]
    asked, all_gone = gone[-1 - at % len(gone)], ", ".join(stage.said(gateway) for stage in gone)
    did = decision(other.trace)
    return question(
        f"{other.what}: which step of GET {path} was missing?",
        asked.said(gateway),
        both[::-1],
        f"Who answered it? {gateway} {did}." if did else "Who answered it?",
        (f"The client got {other.trace.status} after {len(other.trace.rows)} steps; GET {path} has {len(whole.rows)}.",
         f"Missing: {all_gone}."),
        other.command,
    )  # fmt: skip


def shorter_get(what: str, path: str, trace: Trace) -> Shorter:
    return Shorter(f"GET {path}, {what}", trace, f"portico trace {shlex.quote(path)}")
