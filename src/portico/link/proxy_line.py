"""The PROXY protocol for Portico's own connections to its nginx: version 1.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, section 2.1
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portico.values import Address

OWN = b"PROXY UNKNOWN :: :: 0 0\r\n"
"""The header for a connection without another client: its own address counts. What follows UNKNOWN means nothing; httpd
closes a connection whose first line has fewer than 16 bytes.
"""


def is_wanted(connection: socket.socket, proxied: Iterable[Address]) -> bool:
    """Whether the other end is one of these addresses of this machine."""
    host, port, *_ = connection.getpeername()
    is_here = host == connection.getsockname()[0] or ipaddress.ip_address(host).is_loopback
    return any(
        one.port == port
        and (one.host == host or (is_here and one.is_wildcard and one.is_v6 == (":" in host)))
        for one in proxied
    )
