"""What gixy says of configuration files: `gixy_findings FILE...` prints them as JSON.

A program of its own: gixy's parser has the import name of crossplane, which Portico uses. `PYTHONPATH` says where
gixy is.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
from typing import Any

from gixy.core.config import Config
from gixy.core.manager import Manager

_FILES_EACH_COLLECTION = 20
"""Python alone looks through the tree of a configuration many times while gixy reads it: a third of the time."""


class _Kept(logging.Handler):
    """What gixy complains of: a pattern or a file that it could not read."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines = list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def main() -> None:
    kept = _Kept()
    logging.getLogger().addHandler(kept)
    found = []
    gc.disable()
    for number, path in enumerate(sys.argv[1:]):
        if number % _FILES_EACH_COLLECTION == 0:
            gc.collect()
        kept.lines.clear()
        manager = Manager(Config())
        try:
            with open(path) as file:  # noqa: PTH123  gixy wants an open file
                manager.audit(path, file)
        except Exception as error:  # noqa: BLE001  whatever it dies of is a finding
            kept.lines.append(f"died: {error!r}")
        found += [_row(path, "gixy", "HIGH", line, "", "") for line in kept.lines]
        found += [
            _row(
                path,
                plugin.name,
                issue.severity or plugin.severity,
                issue.reason or issue.summary,
                *_where(issue),
            )
            for plugin in manager.results
            for issue in plugin.issues
        ]
    json.dump(found, sys.stdout)


def _row(path: str, plugin: str, severity: str, reason: str, line: str, place: str) -> dict[str, str]:
    return {
        "path": path,
        "plugin": plugin,
        "severity": severity,
        "reason": reason,
        "line": line,
        "place": place,
    }


def _where(issue: Any) -> tuple[str, str]:
    """The line that it names, and the blocks around it; of what one block takes from another, the inner one."""
    if not issue.directives:
        return "", ""
    at = issue.directives[-1 if issue.plugin.name == "add_header_redefinition" else 0]
    around = [one for one in at.parents if one.name not in (None, "http")]
    line = " ".join([_line(at), *map(str, at.find("listen"))]) if at.name == "server" else _line(at)
    return line, " > ".join(map(_line, reversed(around))) + _end(around)


def _line(at: Any) -> str:
    return str(at).partition("\n")[0].rstrip(" {")


def _end(around: list[Any]) -> str:
    """What becomes of a request for which the innermost `if` holds."""
    if not around or around[0].name != "if":
        return ""
    if around[0].children[-1].name == "return":
        return " (returns)"
    return " (goes on from try_files)" if around[1].find("try_files") else " (goes on)"


if __name__ == "__main__":
    main()
