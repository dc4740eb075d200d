"""Reads /proc: whether a process is still the one that we started, and the members of its group."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from msgspec import Struct

PROC = Path("/proc")
_STAT_BYTES = 4096
"""More than a line of /proc/PID/stat has."""


class Entry(Struct, frozen=True):
    """One process. `started` is in clock ticks since boot: unlike the time of day it never jumps."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    started: int

    @property
    def is_alive(self) -> bool:
        return self.state not in ("Z", "X")


def entry(pid: int) -> Entry | None:
    """The process with that pid, None if there is none."""
    try:
        # Not through Path: a stop reads those of all processes, several times.
        descriptor = os.open(f"{PROC}/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        text = os.read(descriptor, _STAT_BYTES)
    except OSError:  # it has ended meanwhile
        return None
    finally:
        os.close(descriptor)
    # The name in parentheses may itself contain spaces and parentheses (proc_pid_stat(5)).
    fields = text.rpartition(b")")[2].split()
    return Entry(
        pid,
        fields[0].decode(),
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        started=int(fields[19]),
    )


def entries() -> Iterator[Entry]:
    for name in os.listdir(PROC):  # noqa: PTH208  thousands of names, and only the digits matter
        found = entry(int(name)) if name.isdigit() else None
        if found is not None:
            yield found


def group_of(leader: int) -> list[Entry]:
    """Every live process in the process group of that leader."""
    return [found for found in entries() if found.group == leader and found.is_alive]


def children_of(parents: Collection[int]) -> list[Entry]:
    """Every live child of these processes."""
    return [found for found in entries() if found.parent in parents and found.is_alive]


def forked_by(parent: int) -> list[Entry]:
    """The same for one parent whose main thread starts them, as in the gateway and Gunicorn; children of other threads
    are missed.
    """
    try:
        pids = (PROC / str(parent) / "task" / str(parent) / "children").read_text("ascii").split()
    except OSError:  # exited, or a kernel without CONFIG_PROC_CHILDREN
        return children_of({parent})
    found = (entry(int(pid)) for pid in pids)
    return [one for one in found if one is not None and one.is_alive]


def own_children() -> list[Entry]:
    """Every child of this process, the exited ones that nobody has reaped, too."""
    try:
        lists = [path.read_text("ascii") for path in (PROC / "self/task").glob("*/children")]
    except OSError:  # a thread has ended meanwhile
        lists = []
    if not lists:
        return [found for found in entries() if found.parent == os.getpid()]
    found = (entry(int(pid)) for text in lists for pid in text.split())
    return [one for one in found if one is not None]


def cpu_seconds(pid: int) -> float:
    """Its CPU time so far; 0 if it has exited."""
    try:
        text = (PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def catches(pid: int, number: int) -> bool:
    """Whether the process handles that signal; True if the system does not tell."""
    try:
        lines = (PROC / str(pid) / "status").read_text("utf-8", "replace").splitlines()
    except OSError:
        return True
    caught = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (number - 1) & 1)


def sockets(table: str, of: int | str = "self") -> Iterator[bytes]:
    """The rows of /proc/OF/net/TABLE (`tcp`, `tcp6`, `unix`), one by one. Raises OSError.

    A busy machine has tens of thousands of them. This process would keep most of the memory that all of them at once
    take: what stays alive is scattered over it.
    """
    with (PROC / str(of) / "net" / table).open("rb") as rows:
        next(rows, None)
        yield from rows


def boot_id() -> str:
    """Identifies this boot of the machine: pids of an earlier boot mean nothing."""
    return (PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()


def command(pid: int) -> str:
    """The command line of a process, as far as we may read it."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return words.replace(b"\0", b" ").decode("utf-8", "replace").strip()


def memory(pid: int) -> int:
    """Bytes in memory; shared pages are divided among their processes (PSS), so that a sum is correct."""
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text("ascii", "replace").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass  # another user's process, or an old kernel
    return _resident(pid)


def _resident(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def wakes(pid: int) -> int:
    """How often the process went to sleep so far: if unchanged, it did nothing in between."""
    try:
        lines = (PROC / str(pid) / "status").read_text("utf-8", "replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches")), 0)
