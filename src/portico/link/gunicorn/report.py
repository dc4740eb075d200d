"""A worker's report that it has loaded the app, or could not: one small file, read by `run.watchers.workers`.

The file of a worker with the app is named by the pids of the arbiter and the worker. It contains a checksum of each
of the app's own source files, so that Portico notices a worker with other code than its release's.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from portico import atomic

VARIABLE: Final = "PORTICO_WORKERS"
"""The variable with the directory."""
CROWD: Final = "crowd"
"""The file whose time says when a worker was last overloaded."""
_MOST: Final = 5_000
"""Source files that are read."""
_INSTALLED: Final = ("site-packages", "dist-packages")


def loaded(memory: int, limit: int) -> None:
    """Reports that this worker has loaded the app, and its memory in bytes. Never raises: a report is not worth a
    worker.

    `limit` is the memory at which it is replaced if that is not the configured one, else 0.
    """
    words = {"code": code(Path.cwd()), "memory": memory, "limit": limit}
    _write(f"{os.getppid()}-{os.getpid()}", words)
    if directory := os.environ.get(VARIABLE):
        with suppress(OSError):
            Path(directory, f"{os.getppid()}-failed.json").unlink()


def failed(error: BaseException) -> None:
    """Reports that this worker could not load it."""
    words = f"{type(error).__name__}: {error}".splitlines()[0][:500]
    _write(f"{os.getppid()}-failed", {"error": words})


def gone() -> None:
    """Reports that this worker ends."""
    if directory := os.environ.get(VARIABLE):
        with suppress(OSError):
            Path(directory, f"{os.getppid()}-{os.getpid()}.json").unlink()


def crowded() -> None:
    """Reports an overload in which several clients wait; repeated each second."""
    if directory := os.environ.get(VARIABLE):
        with suppress(OSError):
            Path(directory, CROWD).touch()


def _write(name: str, words: dict[str, Any]) -> None:
    directory = os.environ.get(VARIABLE)
    if not directory:
        return
    with suppress(OSError):
        atomic.write(Path(directory, f"{name}.json"), json.dumps(words).encode())


def code(directory: Path) -> dict[str, int]:
    """The checksum of each imported source file below `directory`, by its name there."""
    found = dict[str, int]()
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.endswith(".py") and len(found) < _MOST:
            with suppress(OSError, ValueError):
                inside = Path(path).resolve().relative_to(directory)
                if not any(part in _INSTALLED for part in inside.parts):
                    found[str(inside)] = zlib.crc32(Path(path).read_bytes())
    return found


def resident() -> int:
    """The memory of this process in bytes."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
