"""The sockets for clients: Portico binds and keeps them, and the gateway inherits them.

So they outlive each nginx: while a killed master is replaced, clients wait in the kernel's queue and are not
refused. The gateway gets their numbers, and matches them to its own configuration by address.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import socket
from collections.abc import Collection, Iterable
from typing import Self

from portico.errors import Problem
from portico.plan.model import Plan
from portico.run.sockets import closing, ports
from portico.run.sockets.systemd import Service, Stored
from portico.values import Address

COMPLETE_SECONDS = 10.0
"""A reload of the gateway takes some 20 ms; one with a thousand certificates takes longer."""
_POLL_SECONDS = 0.05
_PIDFD_GETFD = 438
"""The same number on every architecture (Linux 5.6)."""
_syscall = ctypes.CDLL(None, use_errno=True).syscall


class Listening:
    """The listening sockets of one running site. `service` keeps copies, so that they outlive Portico, too."""

    def __init__(self, held: dict[Address, socket.socket], service: Service, *, is_handed_over: bool) -> None:
        self._held, self._service, self.is_closed = held, service, False
        self.is_handed_over = is_handed_over
        """Whether clients may have been waiting since before our start."""
        for address, listener in held.items():
            listener.setblocking(False)  # The gateway makes its own so, and uses inherited ones unchanged
            closing.accept_again(listener)  # the previous owner may have been killed while it stopped
            service.store(name(address), listener)

    @classmethod
    def open(cls, plan: Plan, service: Service) -> tuple[Self, list[Problem]]:
        """Bind the sockets that the service manager did not pass, and report unused ones.

        Raises PorticoError for each address that the gateway could not bind.
        """
        held, refused = _fitting(plan.listens, service)
        is_handed_over = bool(held)
        try:
            held |= ports.bind([one for one in plan.listens if one not in held], plan.binary, plan.backlog)
        except BaseException:
            for listener in held.values():
                listener.close()
            raise
        return cls(held, service, is_handed_over=is_handed_over), refused

    def descriptors(self) -> tuple[int, ...]:
        """The sockets for the gateway, under the same numbers."""
        return tuple(listener.fileno() for listener in self._held.values())

    def release(self) -> None:
        """Close all of them, for a gateway that is about to open its own."""
        for listener in self._held.values():
            listener.close()
        self._held.clear()

    def leave(self, addresses: Iterable[Address]) -> None:
        """Close sockets of other addresses: the kernel must not accept connections that nobody reads."""
        for address in set(self._held) - set(addresses):
            self._held.pop(address).close()
            self._service.forget(name(address))

    async def complete(self, addresses: Iterable[Address], master: int) -> None:
        """Take copies of the sockets that the gateway bound itself, as for a new address after a reload."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + COMPLETE_SECONDS
        try:
            while not set(addresses) <= set(self._held) and loop.time() < deadline:
                await asyncio.sleep(_POLL_SECONDS)
                if self.is_closed:
                    return
                for address, listener in _copies(master, set(addresses) - set(self._held)).items():
                    self._held[address] = listener
                    self._service.store(name(address), listener)
        except OSError:
            pass  # The gateway has exited, or the system forbids it (seccomp, setcap): then only it has the socket

    async def until_taken(self) -> None:
        """Refuse new clients, and return once the gateway has accepted all connections that the kernel had accepted."""
        listeners = [*self._held.values()]
        for listener in listeners:
            closing.refuse(listener)
        await closing.until_taken(listeners)

    def close(self) -> None:
        """Refuse new clients from now on, unless the gateway or the service manager still has a copy."""
        self.is_closed = True
        if self._service.keeps:
            return  # the next start uses them; until our exit no connection is accepted that might get no answer
        self.give_up()

    def give_up(self) -> None:
        """At our exit: the service manager's copies accept connections again, for the next start."""
        for listener in self._held.values():
            closing.accept_again(listener)
            listener.close()
        self._held.clear()


def name(address: Address) -> str:
    """The socket's name for the service manager; a colon would end the name."""
    return f"listen-{address.host}-{address.port}".replace(":", "_")


def _fitting(
    wanted: Collection[Address], service: Service
) -> tuple[dict[Address, socket.socket], list[Problem]]:
    """The inherited sockets that the plan uses; the others are closed with a message."""
    held: dict[Address, socket.socket] = {}
    refused: list[Problem] = []
    for stored in service.taken:
        address = _address(stored.socket)
        why = "it came twice" if address in held else _unfit(stored.socket, address, wanted)
        if why:
            refused.append(_refused(stored, address, why))
        elif stored.socket and address:
            held[address] = stored.socket
        if why or (address and stored.name != name(address)):
            # A held socket is stored again, under the name that a reload uses.
            service.forget(stored.name)
    return held, refused


def _unfit(listener: socket.socket | None, address: Address | None, wanted: Collection[Address]) -> str:
    """Why the plan does not use it; empty if it does."""
    if listener is None or address is None:
        return "it is not a TCP socket"
    if address not in wanted:
        return "the site does not listen there"
    if address.is_v6 and not listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        return "it takes IPv4, too: set BindIPv6Only=ipv6-only in the .socket unit"
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "it does not listen"
    return ""


def _refused(stored: Stored, address: Address | None, why: str) -> Problem:
    if stored.socket:
        stored.socket.close()
    where = f" at {address}" if address else ""
    return Problem("", f"systemd handed over a socket{where} ({stored.name}), which was closed: {why}")


def _address(listener: socket.socket | None) -> Address | None:
    """The address of the socket; None if it is not TCP."""
    families = (socket.AF_INET, socket.AF_INET6)
    if listener is None or listener.family not in families or listener.type != socket.SOCK_STREAM:
        return None
    host, port = listener.getsockname()[:2]
    try:
        return Address.parse(f"[{host.partition('%')[0]}]:{port}")
    except ValueError:
        return None  # not bound to a port


def _copies(pid: int, wanted: set[Address]) -> dict[Address, socket.socket]:
    """Copies of another process's listening sockets at these addresses. Raises OSError if that is forbidden."""
    found: dict[Address, socket.socket] = {}
    process = os.pidfd_open(pid)
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208  names are all that is wanted
            copy = copied_socket(process, int(fd), f"/proc/{pid}/fd/{fd}")
            address = _address(copy)
            if copy and address in wanted and copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found[address] = copy
            elif copy:
                copy.close()
    finally:
        os.close(process)
    return found


def copied_socket(process: int, fd: int, path: str) -> socket.socket | None:
    """A copy of another process's socket; None if it is no socket, or was closed. Raises OSError."""
    try:
        if not os.readlink(path).startswith("socket:"):  # noqa: PTH115  it is no path
            return None
    except FileNotFoundError:
        return None
    copy: int = _syscall(_PIDFD_GETFD, process, fd, 0)
    if copy >= 0:
        return socket.socket(fileno=copy)
    if ctypes.get_errno() == errno.EBADF:
        return None
    raise OSError(ctypes.get_errno(), "pidfd_getfd")
