"""Maps the gateway's complaint about a line of a generated file to the user's setting behind it."""

from __future__ import annotations

import re
from dataclasses import replace

from portico.errors import Problem
from portico.plan.files import Line
from portico.plan.gateway.kinds import gateway_named
from portico.plan.model import Plan

_FILE_LINE = re.compile(r".+:\d+")
_HINT = "its own words say why; a host name must be known to this machine whenever the site starts or reloads"


def blamed(plan: Plan, words: str) -> Problem | None:
    """The problem in the user's settings that this message is about; None if it is about none of them.

    One of the user's own directives is quoted. For any other line, its cause is named, if a file contains it.
    """
    kind = gateway_named(plan.gateway.name)
    for found in kind.names_line.finditer(words):
        line = _line(plan, found["path"], int(found["number"]))
        if line is None:
            continue
        where, _, key = line.cause.partition(": ")
        if line.is_users:
            return Problem(where, f"{kind.name} does not accept this directive: {line.text.strip()}")
        if key and _FILE_LINE.fullmatch(where):
            what = f"{key}: {kind.name} does not accept what follows from it: {line.text.strip()}"
            return Problem(where, what, _HINT)
    return None


def objection(plan: Plan, words: str) -> Problem:
    """The gateway's complaint about the files of a plan, as a problem."""
    found = blamed(plan, words) or Problem(plan.gateway.name, "does not accept its configuration")
    return replace(found, quote=words)


def _line(plan: Plan, path: str, number: int) -> Line | None:
    """The line of the file whose path in the plan matches the end of the other path."""
    file = next((file for file in plan.files if path.endswith(f"/{file.path}")), None)
    if file is None or not 0 < number <= len(file.lines):
        return None
    return file.lines[number - 1]
