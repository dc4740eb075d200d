"""Checks whether requests are in progress. It reads the kernel's tables: no server takes part, and no request is
slower.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress

from portico.run.processes import proc

IDLE_SECONDS = 2.0
"""Longer than the pauses of an active upload."""
POLL_SECONDS = 0.25
SETTLE_SECONDS = 0.1
"""By then a connect that resolved the live path just before the switch has arrived in the old queue."""
QUEUED, ACCEPTED = "02", "03"
"""The St column of /proc/net/unix."""
_STREAM, _CONNECTED = b"0001", ACCEPTED.encode()
"""Its Type column; and the same St at the other end. A log by syslog is a connection, too, but of datagrams."""


async def until_drained(
    master: int, sockets: Iterable[str], is_busy: Callable[[], bool] = lambda: False
) -> None:
    """Return once the gateway has been idle for a while and no request is with the app.

    nginx waits for idle keep-alive connections as long as `keepalive_min_timeout` says, which protects
    clients during a reload and only delays the end of everything when stopping.
    """
    loop, paths = asyncio.get_running_loop(), frozenset(sockets)
    last, since = -1, loop.time()
    while loop.time() - since < IDLE_SECONDS:
        await asyncio.sleep(POLL_SECONDS)
        moves = sum(proc.wakes(entry.pid) for entry in proc.group_of(master))
        if moves != last or requests(paths, QUEUED, ACCEPTED) or is_busy():
            last, since = moves, loop.time()


def has_asked(master: int, listens: frozenset[int]) -> bool:
    """Whether the gateway has a connection that it opened itself: a request in progress at a server elsewhere."""
    import psutil

    if _has_opened(master):
        return True
    for entry in proc.group_of(master):
        try:
            held = psutil.Process(entry.pid).net_connections("tcp")
        except psutil.Error:
            continue
        if any(one.raddr and one.laddr.port not in listens for one in held):
            return True
    return False


def _has_opened(master: int) -> bool:
    """Whether its workers have opened unix sockets. The server's end, with its path, may be in another container, whose
    table nobody here sees; the channels between the workers are the master's, too.
    """
    own = frozenset[str]().union(
        *(_sockets(entry.pid) for entry in proc.group_of(master) if entry.pid != master)
    )
    if not (opened := own - _sockets(master)):
        return False
    rows = (line.split(maxsplit=7) for line in proc.sockets("unix"))
    return any(
        row[4:6] == [_STREAM, _CONNECTED] and row[6].decode() in opened for row in rows if len(row) > 6
    )


def _sockets(pid: int) -> frozenset[str]:
    """The inodes of its sockets."""
    found = set[str]()
    with suppress(OSError):  # it has exited
        for one in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.add(os.readlink(one.path).removeprefix("socket:[").removesuffix("]"))  # noqa: PTH115
    return frozenset(found)


def has_connection(workers: Collection[int], address: str) -> bool:
    """Whether one of these processes has a connection to that server, `host:port` or `unix:/path`; blocks."""
    if address.startswith("unix:"):
        return bool(requests(frozenset({address.removeprefix("unix:")}), QUEUED, ACCEPTED))
    import psutil

    there = _addresses(address)
    for pid in workers:
        try:
            held = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            continue
        if any(one.raddr and (one.raddr.ip, one.raddr.port) in there for one in held):
            return True
    return False


def _addresses(address: str) -> set[tuple[str, int]]:
    """The addresses of a name; none if it cannot be resolved."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return set()
    return {(str(one[4][0]), int(one[4][1])) for one in found}


async def until_read(path: str) -> None:
    """Return once nothing waits at a socket that no new request can reach."""
    await asyncio.sleep(SETTLE_SECONDS)
    while _waits(path):
        await asyncio.sleep(SETTLE_SECONDS)


def _waits(path: str) -> bool:
    try:
        return bool(requests(frozenset({path}), QUEUED))
    except OSError:  # no descriptor is free: the state is unknown, and the next look may work
        return True


def requests(sockets: frozenset[str], *states: str) -> int:
    """Requests that wait for the app or are with it: one connection each."""
    return sum(path in sockets and state in states for path, state in _connections())


def has_requests(runtimes: Collection[str]) -> bool:
    """Whether an app of the sites in these runtime directories has a request in progress or waiting."""
    starts = tuple(f"{runtime}/app" for runtime in runtimes)
    return any(path.startswith(starts) and state in (QUEUED, ACCEPTED) for path, state in _connections())


def _connections() -> Iterator[tuple[str, str]]:
    """The path and state of each unix socket that has a path."""
    for line in proc.sockets("unix"):
        # Any process may name a socket: only a line feed ends a row.
        row = line.removesuffix(b"\n").decode("utf-8", "surrogateescape").split(maxsplit=7)
        if len(row) == 8:
            yield row[7], row[5]
