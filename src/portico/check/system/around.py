"""What the checks look at around the site. A test gives another, made of values and of functions of its own."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

import portico
from portico.place import cgroup

_LOOKUP_SECONDS = 4.0
"""All names together: a machine without a network must not hold `check` up."""
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
_MEMINFO = Path("/proc/meminfo")

Lookup = Callable[[Iterable[str]], dict[str, list[str]]]
"""The addresses of these names, none for one that does not exist; a name that could not be asked is left out."""


class Kernel(Struct, frozen=True):
    """Limits and stocks of the machine, as the kernel says them; 0 where it says nothing."""

    tasks_limit: int = 0
    """How many processes and threads the cgroup may have."""
    tasks: int = 0
    """How many it has now."""
    tasks_source: str = ""
    commit_free: int | None = None
    """Bytes that may still be promised, where the kernel promises no more than it has (overcommit_memory 2)."""
    ports: int = 0
    """Local ports for connections to other servers."""
    clock: float = 0
    """Seconds since 1970."""
    made_at: float = 0
    """When Portico was installed, by the files' own times."""


class Around(Struct, frozen=True):
    """`addresses` are those of this machine, `etc` the directory of its configuration."""

    kernel: Kernel
    lookup: Lookup
    addresses: frozenset[str]
    etc: Path
    free: Callable[[str], tuple[int, int] | None]
    """Bytes and files that may still be made in a directory; None where nobody knows."""


def around() -> Around:
    """This machine."""
    return Around(kernel(), looked_up, own_addresses(), Path("/etc"), free_space)


def kernel() -> Kernel:
    """What the kernel says now."""
    limit = cgroup.tasks()
    low, high = _numbers(_RANGE, 2)
    return Kernel(
        tasks_limit=int(limit.value),
        tasks=cgroup.tasks_now(limit.source),
        tasks_source=limit.source,
        commit_free=_commit_free() if _numbers(_OVERCOMMIT, 1) == [2] else None,
        ports=max(0, high - low + 1) if high else 0,
        clock=time.time(),
        made_at=Path(portico.__file__).stat().st_mtime,
    )


def own_addresses() -> frozenset[str]:
    """Of every interface."""
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    found = [one for each in psutil.net_if_addrs().values() for one in each if one.family in families]
    return frozenset(one.address.partition("%")[0] for one in found)


def looked_up(names: Iterable[str]) -> dict[str, list[str]]:
    """By the system's own resolver, all at the same time; see Lookup."""
    found: dict[str, list[str]] = {}
    threads = [threading.Thread(target=_look_up, args=(name, found), daemon=True) for name in names]
    until = time.monotonic() + _LOOKUP_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return dict(found)


def _look_up(name: str, found: dict[str, list[str]]) -> None:
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
            found[name] = []
    except (OSError, UnicodeError):
        pass
    else:
        found[name] = list(dict.fromkeys(str(each[4][0]) for each in answers))


def _numbers(path: Path, count: int) -> list[int]:
    try:
        found = [int(word) for word in path.read_text().split()[:count]]
    except (OSError, ValueError):
        found = []
    return found if len(found) == count else [0] * count


def _commit_free() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
        limit, used = (int(lines[name].split()[0]) << 10 for name in ("CommitLimit", "Committed_AS"))
    except (OSError, KeyError, ValueError, IndexError):
        return None
    return max(0, limit - used)


def free_space(path: str) -> tuple[int, int] | None:
    """Bytes and files that may still be made where that directory is or will be; None where it does not tell."""
    for each in (Path(path), *Path(path).parents):
        try:
            found = os.statvfs(each)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else 1 << 30
    return None
