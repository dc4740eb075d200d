"""httpd's processes: the pid of its master, and which of its workers accept connections.

A worker that is leaving closes its copies of the listening sockets at once; nothing else tells it from the others.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from portico.run.processes import proc

PID_FILE = "httpd.pid"
_LISTENS = b"0A"
"""The state of a listening socket in /proc/net/tcp."""


def master(runtime: str) -> int | None:
    """The pid of the master that runs in that directory."""
    try:
        return int((Path(runtime) / PID_FILE).read_text("ascii"))
    except (OSError, ValueError):
        return None


def accepts(worker: int) -> bool:
    """Whether the worker accepts new connections."""
    return bool(_sockets(worker) & _listening(worker))


def is_leaving(worker: int) -> bool:
    """Whether the worker only finishes its requests."""
    entry = proc.entry(worker)
    return entry is not None and entry.is_alive and not accepts(worker)


def _sockets(pid: int) -> set[str]:
    """The inodes of its sockets."""
    found = set[str]()
    try:
        for descriptor in (proc.PROC / str(pid) / "fd").iterdir():
            try:
                name = str(descriptor.readlink())
            except OSError:
                continue  # closed just now
            if name.startswith("socket:["):
                found.add(name.removeprefix("socket:[").removesuffix("]"))
    except OSError:
        pass  # it has exited, or belongs to another user
    return found


def _listening(pid: int) -> set[str]:
    """The inodes of the TCP sockets that listen in its network namespace."""
    found = set[str]()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            rows = (line.split() for line in proc.sockets(table, pid))
            found.update(row[9].decode() for row in rows if row[3] == _LISTENS)
    return found
