"""nginx's processes: where its master's number is, and what its workers say of themselves."""

from __future__ import annotations

from pathlib import Path

PID_FILE = "nginx.pid"
_LEAVING = b"shutting down"
"""nginx writes it into the title of a worker that is leaving."""


def master(runtime: str) -> int | None:
    """The pid of the master that runs in that directory."""
    try:
        return int((Path(runtime) / PID_FILE).read_text("ascii"))
    except (OSError, ValueError):
        return None


def accepts(worker: int) -> bool:
    """Whether it takes new connections."""
    title = _title(worker)
    return bool(title) and _LEAVING not in title


def is_leaving(worker: int) -> bool:
    """Whether it finishes what it has."""
    return _LEAVING in _title(worker)


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
