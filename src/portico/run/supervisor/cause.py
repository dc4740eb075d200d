"""Why an app answers with an error: what it raised, by its own log, and what may help."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from portico.plan.model import Plan
from portico.run.machine import event as was
from portico.run.upstream.health import Answer

_TAIL_BYTES = 1 << 18
"""Of app.log; what was raised a moment ago stands at its end."""
_TRACEBACK = "Traceback (most recent call last)"
_LONGEST = 300
_NO_TABLE = re.compile(
    r"no such (table|column)|UndefinedTable|UndefinedColumn|(relation|table|column) .* do(es)? ?n[o']t exist"
    r"|doesn't exist|unapplied migration",
    re.IGNORECASE,
)


def answered(number: int, plan: Plan, answer: Answer) -> was.ServerAnswered:
    """The event that an answer which is not well is, with what the app wrote about it, and what may help."""
    what = raised(plan.app_log, answer.id) if answer.id else ""
    words = f"{answer}; the app raised {what}" if what else str(answer)
    return was.ServerAnswered(number, words, answer.is_up, remedy(what, plan.remedy))


def raised(log: str, name: str) -> str:
    """The exception that a request called `name` ended with, as its traceback says it; empty when none is found."""
    try:
        with Path(log).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
            lines = [line for line in file if name.encode() in line]
    except OSError:
        return ""
    return _last_exception("\n".join(_texts(lines, name)))


def _texts(lines: list[bytes], name: str) -> Iterator[str]:
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["id"] == name:
                yield str(entry["text"])
        except (ValueError, KeyError, TypeError):
            continue  # half a line, or another's


def _last_exception(text: str) -> str:
    """The line after the frames of the last traceback; what follows it may be notes of several lines."""
    _, mark, frames = text.rpartition(_TRACEBACK)
    lines = frames.splitlines()[1:] if mark else []
    return next((line for line in lines if line and not line[0].isspace()), "")[:_LONGEST]


def remedy(raised: str, command: str) -> str:
    """What may help against it; `command` is the app's own for its database."""
    if not _NO_TABLE.search(raised):
        return ""
    if command:
        return f"its database is not set up, or is older than the code: {command}"
    return "its database is not set up, or is older than the code: run the app's own command that makes its tables"
