"""The CPUs and memory of the container or service, from cgroups of both versions."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

_ROOT = Path("/sys/fs/cgroup")
_UNLIMITED_V1 = 1 << 60
"""cgroup v1 expresses "no limit" as a number near 2**63."""


class Quota(Struct, frozen=True):
    """A number, and where it was read."""

    value: float
    source: str


def cpus(root: Path = _ROOT, own: str | None = None) -> Quota:
    """CPUs for this process: the smallest quota up the cgroup tree, else the scheduler affinity."""
    available = float(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    found = Quota(available, "CPUs this process may run on")
    for directory in _ancestors(root, own):
        quota = _cpu_max(directory) or _cpu_quota_v1(directory)
        if quota and quota.value < found.value:
            found = quota
    return found


def memory(root: Path = _ROOT, own: str | None = None) -> Quota:
    """Bytes of memory for this process: the smallest limit up the cgroup tree, else the machine's."""
    found = Quota(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "the machine's memory")
    for directory in _ancestors(root, own):
        for name in ("memory.max", "memory/memory.limit_in_bytes"):
            limit = _number(directory / name)
            if limit is not None and limit < min(found.value, _UNLIMITED_V1):
                found = Quota(limit, str(directory / name))
    return found


def tasks(root: Path = _ROOT, own: str | None = None) -> Quota:
    """How many processes and threads there may be: the smallest limit up the cgroup tree; 0 for none."""
    found = Quota(0, "")
    for directory in _ancestors(root, own):
        for name in ("pids.max", "pids/pids.max"):
            limit = _number(directory / name)
            if limit is not None and (not found.value or limit < found.value):
                found = Quota(limit, str(directory / name))
    return found


def tasks_now(source: str) -> int:
    """How many there are where `tasks` found its limit; 0 where there is none."""
    return (_number(Path(source).with_name("pids.current")) or 0) if source else 0


def _ancestors(root: Path, own: str | None) -> list[Path]:
    path = root / (_own_cgroup() if own is None else own).lstrip("/")
    return [path, *(parent for parent in path.parents if parent.is_relative_to(root))]


def _own_cgroup() -> str:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return "/"
    return next((line[3:] for line in lines if line.startswith("0::")), "/")


def _cpu_max(directory: Path) -> Quota | None:
    path = directory / "cpu.max"
    quota, _, period = _text(path).partition(" ")
    return Quota(int(quota) / int(period), str(path)) if quota.isdigit() and period else None


def _cpu_quota_v1(directory: Path) -> Quota | None:
    path = directory / "cpu/cpu.cfs_quota_us"
    quota, period = _number(path), _number(directory / "cpu/cpu.cfs_period_us")
    return Quota(quota / period, str(path)) if quota and quota > 0 and period else None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
