"""When Portico's own connection begins with the PROXY protocol."""

from __future__ import annotations

import socket

from portico.link.proxy_line import is_wanted
from portico.values import Address


def test_only_the_site_s_own_addresses_on_this_machine_want_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            for host in ("127.0.0.1", "0.0.0.0"):
                assert is_wanted(connection, [Address("::1", port), Address(host, port)])
            for other in (Address("127.0.0.1", port - 1), Address("::", port), Address("127.0.0.2", port)):
                assert not is_wanted(connection, [other])
