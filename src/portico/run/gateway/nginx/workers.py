"""nginx's processes: the pid of its master, and the state of its workers by their titles."""

from __future__ import annotations

from pathlib import Path

PID_FILE = "nginx.pid"
_LEAVING = b"shutting down"
"""The text in the title of a worker that is leaving."""


def master(runtime: str) -> int | None:
    """The pid of the master that runs in that directory."""
    try:
        return int((Path(runtime) / PID_FILE).read_text("ascii"))
    except (OSError, ValueError):
        return None


def accepts(worker: int) -> bool:
    """Whether the worker accepts new connections."""
    title = _title(worker)
    return bool(title) and _LEAVING not in title


def is_leaving(worker: int) -> bool:
    """Whether the worker only finishes its requests."""
    return _LEAVING in _title(worker)


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
