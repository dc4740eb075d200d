"""Finds why an app answers with an error: the exception in its own log, and advice."""

from __future__ import annotations

import re
from pathlib import Path

from portico.log.app_output import Entry
from portico.log.reader import Reader, entry_reader, last_lines
from portico.plan.model import Plan
from portico.run.machine import event as was
from portico.run.upstream.health import Answer

_TAIL_BYTES = 1 << 18
"""Of app.log; a recent exception stands at its end."""
_TRACEBACK = "Traceback (most recent call last)"
_LONGEST = 300
_NO_TABLE = re.compile(
    r"no such (table|column)|UndefinedTable|UndefinedColumn|(relation|table|column) .* do(es)? ?n[o']t exist"
    r"|doesn't exist|unapplied migration",
    re.IGNORECASE,
)


def answered(number: int, plan: Plan, answer: Answer) -> was.AppServerAnswered:
    """The event for a bad answer, with the app's output about it, and advice.

    If nothing is found, unreadable lines of app.log are reported: the reason may be in them.
    """
    reader = entry_reader()
    what = raised(plan.app_log, answer.id, reader) if answer.id else ""
    found = f"the app raised {what}" if what else reader.complaint()
    words = f"{answer}; {found}" if found else str(answer)
    return was.AppServerAnswered(number, words, answer.is_up, remedy(what, plan.remedy))


def raised(log: str, name: str, reader: Reader[Entry]) -> str:
    """The exception that ended the request called `name`, from its traceback; empty if none is found."""
    lines = (line for line in last_lines(Path(log), _TAIL_BYTES) if name.encode() in line)
    return _last_exception("\n".join(entry.text for entry in reader.read(lines) if entry.id == name))


def _last_exception(text: str) -> str:
    """The line after the frames of the last traceback; notes of several lines may follow."""
    _, mark, frames = text.rpartition(_TRACEBACK)
    lines = frames.splitlines()[1:] if mark else []
    return next((line for line in lines if line and not line[0].isspace()), "")[:_LONGEST]


def remedy(raised: str, command: str) -> str:
    """Advice for the exception; `command` is the app's own for its database."""
    if not _NO_TABLE.search(raised):
        return ""
    if command:
        return f"its database is not set up, or is older than the code: {command}"
    return "its database is not set up, or is older than the code: run the app's own command that creates its tables"
