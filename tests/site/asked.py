"""The app asked as a start asks it, and waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from portico.site.discover import start_discovery
from portico.site.facts import AppFacts
from portico.values import AppRef


def discover(ref: AppRef | None, directory: Path, **how: Any) -> AppFacts:
    return start_discovery(ref, directory, **how).facts()
