"""Each origin that reads requests otherwise than it was told is found by the runner; what is sound is not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.attack import apps, smuggling
from tests.attack.apps import FAULTS
from tests.attack.smuggling import http1
from tests.attack.smuggling.corpus import Case, cases
from tests.attack.smuggling.mutations import mutations
from tests.attack.smuggling.reading import End, requests
from tests.attack.smuggling.sending import ask
from tests.attack.target import APACHE, Target, target
from tests.support import free_port


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Target]:
    with target("http", "system") as site:
        yield site


def telling() -> list[Case]:
    """Those that a broken reader takes otherwise."""
    return [case for case in cases() if case.valid or "Content-Encoding" in case.name]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_origin_is_found(elsewhere: Target, fault: str) -> None:
    assert elsewhere.mirror
    elsewhere.mirror.fault = fault
    found = [finding for _, finding in http1.compared(elsewhere, telling()) if finding]
    elsewhere.mirror.fault = ""
    elsewhere.mirror.seen.clear()
    assert found
    smuggles = fault in (apps.NO_BODY_OF_GET, apps.READS_CHUNKS)
    assert any("/hidden" in finding for finding in found) == smuggles


def test_a_sound_origin_is_not(elsewhere: Target) -> None:
    assert elsewhere.mirror
    elsewhere.mirror.fault = ""
    elsewhere.mirror.seen.clear()
    assert [(case, finding) for case, finding in http1.compared(elsewhere, telling()) if finding] == []


@pytest.mark.parametrize(("asked", "told"), [("h2c", ("close", "")), ("websocket", ("upgrade", "websocket"))])
def test_no_client_leads_a_server_elsewhere_to_another_protocol(
    elsewhere: Target, asked: str, told: tuple[str, str]
) -> None:
    """h2c would be a tunnel through nginx, past every rule of a path."""
    assert elsewhere.mirror
    elsewhere.mirror.fault = ""
    elsewhere.mirror.seen.clear()
    lines = f"Upgrade: {asked}\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade, HTTP2-Settings"
    request = f"GET /{asked} HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n".encode()
    assert ask(elsewhere.run.port, "127.0.0.1", request).ids
    call = next(one for one in elsewhere.mirror.seen if one.uri == f"/{asked}")
    assert (call.headers["CONNECTION"], call.headers.get("UPGRADE", "")) == told
    elsewhere.mirror.seen.clear()


def test_a_broken_proxy_in_front_is_found(elsewhere: Target) -> None:
    """It takes a coding away that it does not know, so the chunks are the next request."""
    with front(elsewhere.run.port) as port:
        found = [finding for _, finding in http1.compared(elsewhere, telling(), port) if finding]
    assert any("400" in finding or "nobody read" in finding for finding in found)


@contextmanager
def front(behind: int) -> Iterator[int]:
    """Passes on what each client sends, from the client's own address."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port), backlog=64) as listening:
        threading.Thread(target=accept, args=(listening, behind), daemon=True).start()
        yield port
        listening.shutdown(socket.SHUT_RDWR)


def accept(listening: socket.socket, behind: int) -> None:
    with suppress(OSError):
        while True:
            client, (address, _) = listening.accept()
            server = socket.create_connection(("127.0.0.1", behind), 60, source_address=(address, 0))
            client.settimeout(60)
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=pump, args=(one, other), daemon=True).start()


def pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(262_144):
            other.sendall(data.replace(b"Transfer-Encoding", b"X-Encoding"))
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def test_the_corpora_are_the_same_each_time_and_no_two_mutations_of_a_seed_alike() -> None:
    assert cases() == cases()
    assert list(mutations(7, 50)) == list(mutations(7, 50))
    assert len({case.data for case in mutations(7, 50)}) > 40
    assert list(mutations(7, 50)) != list(mutations(8, 50))


def test_every_valid_case_is_read_to_its_end() -> None:
    for case in cases():
        found, end = requests(case.data)
        if case.valid:
            assert end in (End.NOTHING, End.CLOSED), case.name
            assert found, case.name


@pytest.mark.parametrize(
    ("data", "bodies", "end"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", [b""], End.NOTHING),
        (b"GET / HTTP/1.1\r\n\r\n", [], End.REFUSED),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET", [b"abc"], End.WAITING),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", [], End.REFUSED),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", [], End.REFUSED),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", [b"ab"], End.NOTHING),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n0\r\n\r\n",
         [b""], End.CLOSED),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [], End.REFUSED),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", [], End.REFUSED),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [], End.REFUSED),
    ],
)  # fmt: skip
def test_a_strict_reader(data: bytes, bodies: list[bytes], end: End) -> None:
    found, why = requests(data)
    assert ([one.body for one in found], why) == (bodies, end)


@pytest.mark.parametrize(
    ("link", "build"),
    [
        ("gunicorn", "embedded"),
        ("gunicorn", "system"),
        ("http", "embedded"),
        ("http", "system"),
        ("asgi", "embedded"),
        ("asgi", APACHE),
    ],
)
def test_http2_hides_no_request(link: str, build: str) -> None:
    with target(link, build, "https") as site:
        assert [(case, finding) for case, finding in smuggling.attack(site) if finding] == []
