"""What a worker tells Portico when it has loaded the app, or could not: one small file, read by `run.watchers.workers`.

The file of a worker that has the app is named by the pids of the arbiter and the worker. It holds a checksum of each of
the app's own source files, so that Portico notices a worker that came up with other code than its release's.
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
"""Names the directory."""
CROWD: Final = "crowd"
"""The file there whose time says when a worker was last crowded."""
_MOST: Final = 5_000
"""Source files that are read."""
_INSTALLED: Final = ("site-packages", "dist-packages")


def loaded(memory: int, limit: int) -> None:
    """This worker has the app, and so many bytes. Never raises: what it tells is not worth a worker.

    `limit` is where it is replaced when that is not what is configured, else 0.
    """
    words = {"code": code(Path.cwd()), "memory": memory, "limit": limit}
    _write(f"{os.getppid()}-{os.getpid()}", words)
    if directory := os.environ.get(VARIABLE):
        with suppress(OSError):
            Path(directory, f"{os.getppid()}-failed.json").unlink()


def failed(error: BaseException) -> None:
    """This worker could not load it."""
    words = f"{type(error).__name__}: {error}".splitlines()[0][:500]
    _write(f"{os.getppid()}-failed", {"error": words})


def gone() -> None:
    """This worker ends."""
    if directory := os.environ.get(VARIABLE):
        with suppress(OSError):
            Path(directory, f"{os.getppid()}-{os.getpid()}.json").unlink()


def crowded() -> None:
    """More requests come than the workers answer, and several clients wait; said again each second."""
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
    """The checksum of each source file below `directory` that was imported, by its name there."""
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
    """Bytes of memory that this process has."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
