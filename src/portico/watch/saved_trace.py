"""The traces that `portico trace` saved, each with the reasons of the configuration lines that it names."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec.structs import replace

from portico.place import untrusted
from portico.plan.files import Line
from portico.plan.model import Plan
from portico.protocol.trace import Row, Trace

_ID = re.compile(r"[0-9a-f]{32}")


def saved_trace(plan: Plan, request_id: str) -> Trace | None:
    """The saved data of `portico trace` about that request; None if there is none."""
    if not _ID.fullmatch(request_id):
        return None
    try:
        trace = untrusted.read_json(Path(plan.state, "traces", f"{request_id}.json"), Trace)
    except (OSError, ValueError):
        return None
    return replace(trace, rows=tuple(_with_reason(plan, row) for row in trace.rows))


def _with_reason(plan: Plan, row: Row) -> Row:
    line = _line(plan, row.place, row.text)
    return replace(row, why=line.why if line else "", cause=line.cause if line else "")


def _line(plan: Plan, place: str, text: str) -> Line | None:
    """The generated line, unless the configuration has changed since."""
    path, _, number = place.rpartition(":")
    if not path.startswith(f"{plan.runtime}/") or not number.isdigit():
        return None
    file = next((file for file in plan.files if path.endswith(f"/{file.path}")), None)
    if file is None or int(number) > len(file.lines):
        return None
    line = file.lines[int(number) - 1]
    return line if line.text.strip() == text else None
