"""Which line of the user's the gateway complains of: it names a line of a file that Portico wrote."""

from __future__ import annotations

from dataclasses import replace

from portico.errors import Problem
from portico.plan.gateway.kinds import gateway_named
from portico.plan.model import Line, Plan


def blamed(plan: Plan, words: str) -> Problem | None:
    """The problem with a directive of the user's that these words are about; None when they are about none."""
    kind = gateway_named(plan.gateway.name)
    for path, number in kind.names_line.findall(words):
        line = _line(plan, path, int(number))
        if line is not None and line.is_users:
            where = line.cause.partition(": ")[0]
            return Problem(where, f"{kind.name} does not accept this directive: {line.text.strip()}")
    return None


def objection(plan: Plan, words: str) -> Problem:
    """What the gateway has against the files of a plan, as a problem."""
    found = blamed(plan, words) or Problem(plan.gateway.name, "does not accept its configuration")
    return replace(found, quote=words)


def _line(plan: Plan, path: str, number: int) -> Line | None:
    """That line of the file whose path in the plan ends as the other one does."""
    file = next((file for file in plan.files if path.endswith(f"/{file.path}")), None)
    if file is None or not 0 < number <= len(file.lines):
        return None
    return file.lines[number - 1]
