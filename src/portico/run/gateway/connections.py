"""Closes clients' connections to a gateway's workers, so that these workers can exit.

A worker that is shutting down stays while it has a connection. nginx limits that time (`worker_shutdown_timeout`),
but each worker keeps the value it started with, and it cannot be changed later. So Portico closes them from
outside: it shuts down a copy of the worker's socket (`pidfd_getfd`), and the gateway sees a closed connection: it logs
the request and frees its resources. A killed worker would log nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection

from portico.run.sockets.listening import copied_socket

_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def close_clients(worker: int, ports: Collection[int]) -> bool:
    """Shut down the connections that this process accepted on these TCP ports. False if the system forbids it."""
    try:
        process = os.pidfd_open(worker)
    except OSError:
        return True  # it has exited
    try:
        for fd in os.listdir(f"/proc/{worker}/fd"):  # noqa: PTH208  names are all that is wanted
            if copy := copied_socket(process, int(fd), f"/proc/{worker}/fd/{fd}"):
                with copy:
                    _shut_down(copy, ports)
    except FileNotFoundError:
        pass  # it has exited
    except OSError:
        return False
    finally:
        os.close(process)
    return True


def _shut_down(copy: socket.socket, ports: Collection[int]) -> None:
    """Whether it is neither a listening socket, which workers share, nor opened by the worker itself."""
    if copy.family not in _FAMILIES or copy.type != socket.SOCK_STREAM:
        return
    if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) or copy.getsockname()[1] not in ports:
        return
    try:
        copy.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the client has closed it
