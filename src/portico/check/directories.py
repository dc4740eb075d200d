"""Can the directories of sockets, logs and bodies be created, and can their users reach them?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from portico.check.model import Finding, fault, ok
from portico.place.access import blocked, remedy
from portico.place.model import Place
from portico.plan.model import Plan

_ELSEWHERE = "set PORTICO_RUNTIME_DIR and PORTICO_STATE_DIR to directories of your own"


def directory_findings(place: Place, planned: Plan) -> Iterator[Finding]:
    """The obstacles to the plan's directories, each once."""
    paths = [directory.path for directory in planned.directories]
    found = {problem: None for path in paths if (problem := _cannot_be_made(path))}
    if place.gateway_user:
        found |= {
            problem: None
            for each in planned.directories
            if (user := each.owner if each.is_secret else place.gateway_user)
            and (problem := _out_of_reach(each.path, user))
        }
    yield from found or [
        ok("directories", f"{planned.runtime} and {planned.state} can be used", "directories")
    ]


def _cannot_be_made(path: str) -> Finding | None:
    there = _nearest(Path(path))
    if not there.is_dir():
        return fault(
            "directories", f"{there} is in the way: it is not a directory", _ELSEWHERE, "directories"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        return fault(
            "directories", f"{path} cannot be made: {there} may not be written", _ELSEWHERE, "directories"
        )
    if there == Path(path) and os.geteuid() not in (0, there.stat().st_uid):
        return fault("directories", f"{path} belongs to another user", _ELSEWHERE, "directories")
    return None


def _out_of_reach(path: str, user: str) -> Finding | None:
    """A component above the directory that keeps that user out; the directory itself gets its own mode."""
    stopped = blocked(path, user)
    if stopped is None or stopped.path == path or not _exists(Path(stopped.path)):
        return None
    what = f"user '{user}' cannot reach {path}: {stopped.path}: {stopped.why}"
    return fault("directories", what, f"{remedy(stopped, user)}\nor {_ELSEWHERE}", "directories")


def _nearest(path: Path) -> Path:
    """The path itself, or the nearest existing one above it."""
    return next((step for step in (path, *path.parents) if _exists(step)), Path("/"))


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:
        return False
    return True
