"""A client that never finishes its head: for how long does the server wait?"""

from __future__ import annotations

import time
from collections.abc import Iterator

from portico.check.model import Finding
from portico.check.outside.look import Look

SECONDS = 20.0
_DRIP_SECONDS = 1.0
_HINT = "nginx: client_header_timeout 10s (its default is 60 s)"


def slow_findings(look: Look, seconds: float = SECONDS) -> Iterator[Finding]:
    """Another byte each second, as slow clients do: a timeout that begins anew with each byte never ends."""
    took = _until_closed(look, seconds)
    if took < seconds:
        yield look.ok(f"a head that does not end is closed after {took:.0f} s", "url-slow")
        return
    what = f"the server waits {seconds:.0f} s or longer for an endless head: a few clients can hold many connections"
    yield look.warning("slow client", what, _HINT, "url-slow")


def _until_closed(look: Look, seconds: float) -> float:
    look.client.asked += 1
    begin = time.monotonic()
    with look.client.connect() as connection:
        try:
            connection.sendall(look.client.head(look.target.path).removesuffix(b"\r\n\r\n") + b"\r\nX-Slow: ")
            connection.settimeout(_DRIP_SECONDS)
            while (took := time.monotonic() - begin) < seconds:
                try:
                    if not connection.recv(65536):
                        return took
                except TimeoutError:
                    connection.sendall(b"x")
        except OSError:
            return time.monotonic() - begin
    return seconds
