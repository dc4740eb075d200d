"""Free memory for more processes: of the machine, and of the control group."""

from __future__ import annotations

from pathlib import Path

from portico.place import cgroup

_USED = ("memory.current", "memory.usage_in_bytes")


def free(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes; reclaimable caches of the kernel count as free."""
    limit = cgroup.memory()
    group = Path(limit.source).parent
    used = next((number for name in _USED if (number := _number(group / name)) is not None), 0)
    cached = sum(_cached(group))
    left = max(0, int(limit.value) - max(0, used - cached)) if group.is_absolute() else int(limit.value)
    return min(left, _available(meminfo) or left)


def _cached(group: Path) -> list[int]:
    """From memory.stat: pages of files, which the kernel reclaims first."""
    try:
        words = (line.split() for line in (group / "memory.stat").read_text("ascii", "replace").splitlines())
        return [int(number) for name, number in words if name in ("inactive_file", "active_file")]
    except (OSError, ValueError):
        return []


def _available(meminfo: Path) -> int:
    """MemAvailable of proc(5), 0 if the system does not have it."""
    try:
        lines = meminfo.read_text("ascii", "replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None
