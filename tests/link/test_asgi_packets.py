"""The packets of an ASGI worker: the front that is read in one match says what the loop over all variables says."""

from __future__ import annotations

import random

import pytest

from portico.link.asgi.front import MOST_FRONTS
from portico.link.asgi.scope import Packets
from portico.link.fence import Fence
from portico.link.uwsgi import BadPacketError, encode

OWN = {
    "QUERY_STRING": "", "REQUEST_METHOD": "GET", "CONTENT_TYPE": "", "CONTENT_LENGTH": "", "REQUEST_URI": "/",
    "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.1", "HTTP_HOST": "example.org",
    "HTTP_X_REQUEST_ID": "0123456789abcdef" * 2, "HTTP_X_FORWARDED_PREFIX": "", "PORTICO_MSEC": "1.0",
}  # fmt: skip
FORGED = encode({"REMOTE_ADDR": "127.0.0.1", "PORTICO_MSEC": "1.0"})[4:].decode("latin-1")
VALUES = [
    *(
        "",
        "a",
        "x" * 31,
        "y" * 255,
        "z" * 256,
        "a\tb",
        "é",
        "\x00",
        "\x0b\x00REMOTE_ADDR",
        FORGED,
        f"a{FORGED}",
    ),
    *("\x0c\x00", "\x0e\x00REQUEST_METHOD\x03\x00PUT", "]", "\\", "\x04\x00HOST", "\n", "\x1f", "a\x00b"),
]
SENT = [
    "HTTP_ACCEPT",
    "HTTP_COOKIE",
    "HTTP_X_REAL_IP",
    "HTTP_X_PORTICO_MSEC",
    f"HTTP_X_{'A' * 30}",
    f"HTTP_{'B' * 99}",
]


def packets() -> Packets:
    return Packets(Fence(frozenset()))


def tried(by: Packets, packet: bytes) -> object:
    try:
        return by.read(packet, len(packet))
    except BadPacketError:
        return None


def test_a_known_front_is_read_as_an_unknown_one() -> None:
    chosen = random.Random(19)
    learned = packets()
    for _ in range(3000):
        own = dict(OWN)
        for name in chosen.sample(sorted(OWN), chosen.randrange(4)):
            own[name] = chosen.choice(VALUES)
        for name in chosen.sample(["PATH_INFO", "HTTP_HOST", "CONTENT_TYPE"], chosen.randrange(2)):
            del own[name]
        sent = {name: chosen.choice(VALUES) for name in chosen.sample(SENT, chosen.randrange(4))}
        packet = encode(own | sent)
        data = packet + chosen.choice([b"", b"a=b", b"\x00", b'{"a": 1}', b"\x04\x00HTTP", b"]\x00"])
        assert learned.read(data, len(packet)) == packets().read(data, len(packet)), data
    assert learned._fronts


def test_a_front_that_is_cut_is_refused() -> None:
    learned, packet = packets(), encode(OWN | {"HTTP_ACCEPT": "*/*"})
    whole = learned.read(packet, len(packet))
    assert learned._fronts
    for end in range(5, len(packet)):
        assert tried(learned, packet[:end]) == tried(packets(), packet[:end]), end
    assert learned.read(packet, len(packet)) == whole


def test_a_client_does_not_fill_the_memory_with_fronts() -> None:
    learned = packets()
    for number in range(40):
        learned.read(packet := encode({f"A{number}": "1", **OWN}), len(packet))
    assert len(learned._fronts) == 8


def test_a_variable_without_a_name_is_refused_before_and_after_a_front_is_known() -> None:
    learned, packet = packets(), encode(OWN | {"": "x"})
    for _ in range(2):
        with pytest.raises(BadPacketError):
            learned.read(packet, len(packet))
        learned.read(known := encode(OWN), len(known))


def test_orders_that_clients_choose_keep_the_usual_one_not_out() -> None:
    reader = Packets(None)
    usual = encode({"REQUEST_METHOD": "GET", "PATH_INFO": "/", "PORTICO_MSEC": "1.5"})
    for number in range(2 * MOST_FRONTS):
        odd = encode({"REQUEST_METHOD": "GET", f"HTTP_{number}": "x", "PORTICO_MSEC": "1.5"})
        reader.read(odd, len(odd))
    reader._learns = 0.0
    reader.read(usual, len(usual))
    reader.read(usual, len(usual))
    assert reader._fronts[0].names == (b"REQUEST_METHOD", b"PATH_INFO", b"PORTICO_MSEC")
    assert len(reader._fronts) == MOST_FRONTS
