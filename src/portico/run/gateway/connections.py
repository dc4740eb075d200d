"""Close the connections that clients have with a gateway's workers, so that these workers can leave.

A worker that is shutting down stays while it has one connection. nginx has a time for that
(`worker_shutdown_timeout`), which each worker takes from the configuration it began with, and nobody can change it
later. So Portico closes them from outside: a copy of the worker's socket (`pidfd_getfd`) is shut down, and nginx sees
a client that has left: it logs the request and frees what belongs to it. A killed worker would log nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection

from portico.run.sockets.listening import copied_socket

_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def close_clients(worker: int, ports: Collection[int]) -> bool:
    """Shut down the connections that this process accepted on these TCP ports. False when the system forbids it."""
    try:
        process = os.pidfd_open(worker)
    except OSError:
        return True  # it has left
    try:
        for fd in os.listdir(f"/proc/{worker}/fd"):  # noqa: PTH208  names are all that is wanted
            if copy := copied_socket(process, int(fd), f"/proc/{worker}/fd/{fd}"):
                with copy:
                    _shut_down(copy, ports)
    except FileNotFoundError:
        pass  # it has left meanwhile
    except OSError:
        return False
    finally:
        os.close(process)
    return True


def _shut_down(copy: socket.socket, ports: Collection[int]) -> None:
    """Not a listening socket, which other workers share, and not a connection that the worker opened itself."""
    if copy.family not in _FAMILIES or copy.type != socket.SOCK_STREAM:
        return
    if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) or copy.getsockname()[1] not in ports:
        return
    try:
        copy.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the client has left by itself
