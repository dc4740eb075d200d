"""The typed command, as words again: for the unit of a service, and for the supervisor of one site of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def command_line(app: str | None, config: str | None, flags: Mapping[str, Any]) -> tuple[str, ...]:
    """The words after `portico run`."""
    made: list[str] = ["--config", config] if config else []
    for name, value in flags.items():
        if value is True:
            made.append(f"--{name}")
        else:
            made += [f"--{name}={one}" for one in (value if isinstance(value, list) else [value])]
    return (*made, *([app] if app else []))
