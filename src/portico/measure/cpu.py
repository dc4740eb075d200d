"""What a peer costs the machine: CPU time and memory of its whole process tree, by role.

A process's time is its own plus that of the children it has already reaped, so a worker that was replaced
during a measurement is still counted. (A cgroup would do it better, but takes rights few benches have.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, get_args

import psutil

Role = Literal["gateway", "app", "control"]
ROLES: tuple[Role, ...] = get_args(Role)
Rule = Callable[[list[str]], Role | None]  # a command line -> its role, or None for its parent's
Member = tuple[psutil.Process, Role]


def members(root: psutil.Process, role: Role, rule: Rule) -> Iterator[Member]:
    """The process and all below it. `rule` may give a child another role, which its own children inherit."""
    yield root, role
    for child in _children(root):
        yield from members(child, rule(_cmdline(child)) or role, rule)


def cpu_seconds(tree: Iterable[Member]) -> dict[Role, float]:
    seconds: defaultdict[Role, float] = defaultdict(float)
    for process, role in tree:
        seconds[role] += _cpu_seconds(process)
    return seconds


def memory_bytes(tree: Iterable[Member]) -> dict[Role, float]:
    """Proportional set size: what is shared is divided among those who share it, so the sum is true."""
    total: defaultdict[Role, float] = defaultdict(float)
    for process, role in tree:
        total[role] += _pss(process)
    return total


def worker_bytes(tree: Iterable[Member]) -> int:
    """The largest process of the app that has no children of its own: one worker."""
    return max(map(_pss, _leaves(tree)), default=0)


def worker_count(tree: Iterable[Member]) -> int:
    """How many processes of the app have no children of their own."""
    return len(_leaves(tree))


def _leaves(tree: Iterable[Member]) -> list[psutil.Process]:
    return [process for process, role in tree if role == "app" and not _children(process)]


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children())
    except psutil.NoSuchProcess:
        return []


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
