"""A name server of a test's own, on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.message
import dns.rcode
import dns.rrset

FAILS = "SERVFAIL"


@contextmanager
def name_server(records: Mapping[tuple[str, str], str]) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the names that it was asked for. `records` are by name and type; others are NXDOMAIN."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        asked = list[str]()
        thread = threading.Thread(target=_serve, args=(server, records, asked), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}", asked
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", server.getsockname())
            thread.join(30)


def _serve(server: socket.socket, records: Mapping[tuple[str, str], str], asked: list[str]) -> None:
    while True:
        data, client = server.recvfrom(4096)
        if not data:
            return
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = str(question.name).rstrip("."), dns.rdatatype.to_text(question.rdtype)
        asked.append(name)
        answer, found = dns.message.make_response(query), records.get((name, kind))
        if found == FAILS:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, found))
        elif not any(known == name for known, _ in records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        server.sendto(answer.to_wire(), client)
