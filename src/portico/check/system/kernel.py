"""Does the kernel let the site be: processes and threads, memory, local ports, the disk, the clock?"""

from __future__ import annotations

import time
from collections.abc import Iterator

from portico.check.model import Finding, warning
from portico.check.system.around import Kernel
from portico.place.model import Place
from portico.plan.app_servers.workers import capacity
from portico.plan.model import Plan
from portico.site.model import Site
from portico.values import Size

_OWN_TASKS = 12
"""Portico's threads, the masters, and the child that compresses."""
_LEAST_BYTES = 256 << 20
"""A log, a body in its file and nginx's temporary files fit into it."""
_LEAST_FILES = 1000
_LEAST_PORTS = 4096
_SKEW_SECONDS = 86400
"""Files may have been made in another time zone."""


def kernel_findings(site: Site, place: Place, planned: Plan, said: Kernel, memory: int) -> Iterator[Finding]:
    """`memory`: bytes of a process that has loaded the app."""
    yield from _tasks(site, place, planned, said)
    yield from _promises(site, place, said, memory)
    yield from _ports(site, said)
    yield from _clock(said)


def _tasks(site: Site, place: Place, planned: Plan, said: Kernel) -> Iterator[Finding]:
    size = capacity(site, place)
    running = planned.workers * (size.most_threads + 2)
    need = (2 * running if site.has_app else 0) + max(1, round(place.cpus)) + _OWN_TASKS
    if said.tasks_limit and said.tasks_limit - said.tasks < need:
        what = (
            f"{said.tasks_source} allows {said.tasks_limit} processes and threads, and {said.tasks} are there; the "
            f"site needs about {need} while one release replaces another"
        )
        hint = "raise it (TasksMax= of systemd, --pids-limit of a container), or run fewer workers or threads"
        yield warning("processes", what, hint, "tasks")


def _promises(site: Site, place: Place, said: Kernel, memory: int) -> Iterator[Finding]:
    need = capacity(site, place).workers * memory
    if said.commit_free is not None and site.has_app and said.commit_free < need:
        what = (
            f"vm.overcommit_memory is 2 and {_size(said.commit_free)} may still be promised; the workers need "
            f"{_size(need)}, and forking them fails"
        )
        yield warning(
            "memory", what, "sysctl vm.overcommit_memory=0, more swap, or fewer workers", "overcommit"
        )


def _ports(site: Site, said: Kernel) -> Iterator[Finding]:
    is_tcp = any(server.protocol and not server.address.startswith("unix:") for server in site.servers)
    if is_tcp and 0 < said.ports < _LEAST_PORTS:
        what = (
            f"only {said.ports} local ports for connections to [upstream]: a burst uses them up for a minute"
        )
        hint = 'sysctl -w net.ipv4.ip_local_port_range="32768 60999"'
        yield warning("ip_local_port_range", what, hint, "local-ports")


def _clock(said: Kernel) -> Iterator[Finding]:
    if said.clock and said.clock < said.made_at - _SKEW_SECONDS:
        now, made = (time.strftime("%Y-%m-%d", time.gmtime(each)) for each in (said.clock, said.made_at))
        what = f"the clock says {now}, and Portico was installed on {made}: certificates are not valid yet"
        yield warning("clock", what, "timedatectl set-ntp true", "clock")


def disk_findings(directory: str, free: tuple[int, int] | None) -> Iterator[Finding]:
    """`free`: bytes and files that may still be made in the directory of logs, uploads and the cache."""
    if free is None:
        return
    if free[0] < _LEAST_BYTES:
        what = f"{_size(free[0])} are free at {directory}: uploads are refused (507), and log lines are lost"
        yield warning("disk", what, "make room there, or PORTICO_STATE_DIR on another disk", "disk")
    if free[1] < _LEAST_FILES:
        what = f"only {free[1]} more files can be made at {directory}: uploads are refused (507)"
        yield warning("disk", what, "remove files there: df -i names the file system", "disk")


def _size(count: int) -> str:
    return f"{count >> 20}MiB" if count >= 1 << 20 else str(Size(count))
