"""Closes a listening socket without losing a connection that the kernel has already accepted.

A client in the kernel's queue believes that it is connected, and has sent its request. If the socket is closed, the
kernel resets the connection, and a POST must not be repeated. listen(fd, 0) refuses nothing on Linux. So a filter
on the socket drops new connections, the server accepts the waiting ones, and then the socket is closed: a client
whose packet was dropped sends it again, and is refused, as after any stop.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import socket
import struct
from collections.abc import Collection
from contextlib import suppress

from portico.run.processes import proc

QUEUE_SECONDS = 5.0
"""A server that accepts nothing for this long does not answer either."""
HALF_OPEN_SECONDS = 1.0
"""A distant client has acknowledged by then; there may be many that never do (a SYN flood)."""
_POLL_SECONDS = 0.01
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
"""The same numbers on every architecture that has Python wheels."""
_PROGRAM = (
    (0x30, 0, 0, 13),  # the flags of the TCP header
    (0x54, 0, 0, 0x12),  # SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone begins a connection
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFFFFFF),
)
"""Classic BPF, as in socket(7); it needs no rights."""
_TCP_INFO_SIZE, _UNACKED = 104, 24
"""For a listening socket, `tcpi_unacked` is the number of waiting connections."""
_SYN_RECEIVED = b"03"
"""The st column of /proc/net/tcp."""


def refuse(listener: socket.socket) -> None:
    """Stop new connections before this socket's queue. No other process needs to have a copy of the socket."""
    code = b"".join(struct.pack("HBBI", *one) for one in _PROGRAM)
    buffer = ctypes.create_string_buffer(code, len(code))
    with suppress(OSError):  # forbidden (seccomp): then the socket is closed without it
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_PROGRAM), ctypes.addressof(buffer))
        )


def accept_again(listener: socket.socket) -> None:
    """Remove the filter: the socket outlives this process."""
    with suppress(OSError):  # it has none
        listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


async def until_taken(listeners: Collection[socket.socket]) -> None:
    """Return once no connection waits at these sockets, which `refuse` new connections."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while (passed := loop.time() - began) < QUEUE_SECONDS:
        is_late = passed >= HALF_OPEN_SECONDS
        if not any(map(_waits, listeners)) and (is_late or not _half_open(_ports(listeners))):
            return
        await asyncio.sleep(_POLL_SECONDS)


def _waits(listener: socket.socket) -> bool:
    try:
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
    except OSError:
        return False  # the socket was closed
    return bool(struct.unpack_from("I", info, _UNACKED)[0])


def _ports(listeners: Collection[socket.socket]) -> set[int]:
    found = set[int]()
    for listener in listeners:
        with suppress(OSError):
            found.add(listener.getsockname()[1])
    return found


def _half_open(ports: Collection[int]) -> bool:
    """Whether a client at one of these ports has not yet acknowledged its connection."""
    endings = tuple(b":%04X" % port for port in ports)
    for name in ("tcp", "tcp6"):
        try:
            for line in proc.sockets(name):
                _, local, _, state, *_ = line.split(maxsplit=4)
                if state == _SYN_RECEIVED and local.endswith(endings):
                    return True
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EACCES):
                return False
    return False
