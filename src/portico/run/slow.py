"""The requests that run for long, as the workers tell of them (`link.slow`)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from portico.plan.paths import slow

_STALE_SECONDS = 10.0
"""Workers write once a second: an older file is one of a worker that was killed, or that cannot write."""


def requests(runtime: str) -> list[dict[str, Any]]:
    """Of every worker, the oldest request first."""
    found: list[dict[str, Any]] = []
    for path in Path(slow(runtime)).glob("*.json"):
        try:
            if time.time() - path.stat().st_mtime < _STALE_SECONDS and Path("/proc", path.stem).exists():
                found += json.loads(path.read_text())
            else:
                path.unlink(missing_ok=True)
        except (OSError, ValueError):
            continue  # it has just ended
    return sorted(found, key=lambda one: -float(one["age_seconds"]))
