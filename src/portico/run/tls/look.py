"""Checks what is really served, as a client: a replaced file proves nothing."""

from __future__ import annotations

import hashlib
import socket
import ssl

from msgspec import Struct

from portico.link import proxy_line
from portico.plan.subjects import Tls
from portico.values import Address

LOOK_SECONDS = 5.0


class Seen(Struct, frozen=True):
    """The result for one address: the certificate's fingerprint, or why there was none."""

    address: Address
    fingerprint: str = ""
    words: str = ""


def look(tls: Tls) -> tuple[Seen, ...]:
    """The results for every HTTPS address; blocks."""
    name = next(iter(tls.names), "localhost").replace("*", "any", 1)
    first = proxy_line.OWN if tls.is_proxied else b""
    return tuple(_seen(address, name, first) for address in tls.listen)


def _seen(address: Address, name: str, first: bytes) -> Seen:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((address.near.host, address.port), LOOK_SECONDS) as plain:
            plain.sendall(first)
            with context.wrap_socket(plain, server_hostname=name) as connection:
                shown = connection.getpeercert(binary_form=True)
    except OSError as error:  # includes ssl.SSLError
        return Seen(address, words=error.strerror or str(error))
    return Seen(address, hashlib.sha256(shown or b"").hexdigest())
