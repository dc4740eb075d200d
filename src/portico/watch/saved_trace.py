"""The traces that `portico trace` saved, each with the reasons of the configuration lines that it names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from portico.place import untrusted
from portico.plan.model import Line, Plan

_ID = re.compile(r"[0-9a-f]{32}")


def saved_trace(plan: Plan, request_id: str) -> dict[str, Any] | None:
    """What `portico trace` showed of that request; None when nothing was saved of it."""
    if not _ID.fullmatch(request_id):
        return None
    try:
        trace = untrusted.read_json(Path(plan.state, "traces", f"{request_id}.json"), dict[str, Any])
    except (OSError, ValueError):
        return None
    for row in trace.get("rows", ()):
        line = _line(plan, str(row.get("place", "")), str(row.get("text", "")))
        row |= {"why": line.why, "cause": line.cause} if line else {"why": "", "cause": ""}
    return trace


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
