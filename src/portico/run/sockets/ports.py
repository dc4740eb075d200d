"""Checks that the gateway's addresses are free before anything starts, names who has one, and binds them."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

from portico.errors import PorticoError, Problem
from portico.place.probe import runtime_directories
from portico.run.disk import lock
from portico.run.processes import proc
from portico.values import Address

_CAP_NET_BIND_SERVICE = 10
_HTTP, _HTTPS = 80, 443
_TWO_WAYS_PAST_1024 = (
    "let this nginx use low ports: sudo setcap cap_net_bind_service=+ep {program}",
    "or let every program use them: sudo sysctl net.ipv4.ip_unprivileged_port_start={port}",
)


def check(addresses: Iterable[Address], program: str) -> None:
    """Raises PorticoError for each address that the gateway could not bind now."""
    for listener in bind(addresses, program).values():
        listener.close()


def bind(addresses: Iterable[Address], program: str, backlog: int = 1) -> dict[Address, socket.socket]:
    """Listening sockets for all of them, made as the gateway would make them.

    An address that only the gateway may bind, by a capability of its file (setcap), is left out. Raises PorticoError
    for each address that the gateway could not bind either; then nothing is bound.
    """
    listeners: dict[Address, socket.socket] = {}
    problems: list[Problem] = []
    for address in addresses:
        try:
            listeners[address] = _bound(address, backlog)
        except OSError as error:
            problem = _problem(address, program, error)
            problems += [problem] if problem else []
    if problems:
        for listener in listeners.values():
            listener.close()
        raise PorticoError(*problems)
    return listeners


def _problem(address: Address, program: str, error: OSError) -> Problem | None:
    where = f"listen {address}"
    match error.errno:
        case errno.EADDRINUSE if site := _site_at(address.port):
            hint = f"stop it: portico stop --site {site}\nor listen elsewhere: --listen 127.0.0.1:PORT"
            return Problem(where, f'port {address.port} is taken by your site "{site}"', hint)
        case errno.EADDRINUSE:
            return Problem(where, f"port {address.port} is taken{_owner(address.port)}", _elsewhere())
        case errno.EACCES:
            return None if _may_use_low_ports(program) else _forbidden(where, address, program)
        case errno.EADDRNOTAVAIL:
            return Problem(
                where, f"this machine has no address {address.host}", "use an address of this machine, or *"
            )
    return Problem(where, f"cannot listen there: {error.strerror}")


def _bound(address: Address, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if address.is_v6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As in the gateway: a connection in TIME_WAIT is no reason to refuse.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.is_v6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("" if address.host == "*" else address.host, address.port))
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def _owner(port: int) -> str:
    """The process that listens there, as far as we may see."""
    import psutil  # type: ignore[import-untyped, unused-ignore]  # 20 ms that only this error costs

    try:
        found = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return ""
    pids = {c.pid for c in found if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port}
    known = sorted(pid for pid in pids if pid)
    return f" by pid {known[0]}: {proc.command(known[0])}" if known else " by a process of another user"


def _site_at(port: int) -> str:
    """The name of this user's site that serves on that port, "" if there is none."""
    for directory in runtime_directories():
        with suppress(OSError):
            running = lock.running(str(directory))
            if running is None or running.pid == os.getpid():  # this start holds a lock, too
                continue
            if any(_port_of(url) == port for url in running.urls):
                return lock.site_of(directory)
    return ""


def _port_of(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (_HTTPS if parts.scheme == "https" else _HTTP)


def _elsewhere() -> str:
    return "end that process, or listen elsewhere: --listen 127.0.0.1:PORT"


def _forbidden(where: str, address: Address, program: str) -> Problem:
    free = Address(address.host, 8000 + address.port % 1000)
    flag = "--https-listen" if address.port == _HTTPS else "--listen"
    ways = [f"listen on a port from 1024 up: {flag} {free}"]
    ways += [way.format(program=program, port=address.port) for way in _TWO_WAYS_PAST_1024]
    user = f"user {os.geteuid()}"
    return Problem(
        where, f"{user} may not use port {address.port}, ports below 1024 are reserved", "\n".join(ways)
    )


def _may_use_low_ports(program: str) -> bool:
    """Whether the file has the capability (setcap), so that it may do what we may not."""
    try:
        capabilities = os.getxattr(program, "security.capability")
    except OSError:
        return False
    # struct vfs_cap_data (capabilities(7)): a magic number, then the permitted set's lower half, little-endian.
    return bool(int.from_bytes(capabilities[4:8], "little") & 1 << _CAP_NET_BIND_SERVICE)
