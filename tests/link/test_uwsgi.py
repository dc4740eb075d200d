"""The packet, both ways, and what `ask` makes of whatever answers."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.link.uwsgi import LARGEST, AskError, BadPacketError, ask, decode, encode, packet_size
from tests.support import private_directory

text = st.text(st.characters(max_codepoint=255), max_size=300)


def decoded(packet: bytes) -> dict[str, str]:
    variables: dict[str, str] = {}
    decode(packet, variables)
    return variables


@given(st.dictionaries(text.filter(bool), text, max_size=40))
def test_what_is_encoded_is_decoded(variables: dict[str, str]) -> None:
    assert decoded(encode(variables)) == variables


@given(st.binary(max_size=400))
def test_any_bytes_are_a_packet_or_refused(noise: bytes) -> None:
    packet = struct.pack("<BHB", 0, len(noise), 0) + noise
    try:
        variables = decoded(packet)
    except BadPacketError:
        return
    assert sum(len(k) + len(v) for k, v in variables.items()) <= 2 * len(noise)


@given(st.dictionaries(text.filter(bool), text, min_size=1, max_size=5), st.data())
def test_a_packet_with_one_byte_changed_is_a_packet_or_refused(
    variables: dict[str, str], data: st.DataObject
) -> None:
    packet = bytearray(encode(variables))
    packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded(bytes(packet))
    except BadPacketError:
        pass


@given(st.binary(min_size=4, max_size=40))
def test_the_size_is_within_bounds_or_refused(start: bytes) -> None:
    try:
        size = packet_size(start)
    except BadPacketError:
        assert start[0] != 0
    else:
        assert 4 <= size <= 4 + LARGEST


def pair(name: bytes, value: bytes) -> bytes:
    return struct.pack("<H", len(name)) + name + struct.pack("<H", len(value)) + value


def framed(variables: bytes, size: int | None = None, modifier: int = 0) -> bytes:
    return struct.pack("<BHB", modifier, len(variables) if size is None else size, 0) + variables


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (framed(pair(b"A", b"b"), modifier=5), "modifier1 is 5"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "is it HTTP"),
        (framed(pair(b"A", b"b"), size=3), "do not add up"),
        (framed(pair(b"A", b"b"), size=9), "do not add up"),
        (framed(b"\x01"), "do not add up"),
        (framed(b"\x01\x00A"), "do not add up"),
        (framed(b"\x01\x00A\xff\xffb"), "do not add up"),
        (framed(b"\xff\xffA\x01\x00b"), "do not add up"),
        (framed(pair(b"A", b"b") + b"\x00"), "do not add up"),
        (framed(pair(b"", b"b")), "no name"),
    ],
)
def test_a_bad_packet_is_refused_in_one_line(packet: bytes, words: str) -> None:
    with pytest.raises(BadPacketError, match=words) as refused:
        decoded(packet[: packet_size(packet)] if packet[0] else packet)
    assert "\n" not in str(refused.value)


def test_a_header_that_came_twice_is_joined() -> None:
    """nginx before 1.23 sends each line of a repeated header as a variable of its own."""
    twice = (
        pair(b"HTTP_X_A", b"1")
        + pair(b"HTTP_COOKIE", b"a=1")
        + pair(b"HTTP_X_A", b"2")
        + pair(b"HTTP_COOKIE", b"b")
    )
    assert decoded(framed(twice)) == {"HTTP_X_A": "1, 2", "HTTP_COOKIE": "a=1; b"}


def test_more_than_a_packet_holds_is_refused() -> None:
    encode({"A": "x" * (LARGEST - 5)})
    with pytest.raises(ValueError, match="holds 65535"):
        encode({"A": "x" * (LARGEST - 4)})


@contextmanager
def peer(answer: bytes, *, hang: bool = False) -> Iterator[str]:
    """A socket that gives this answer, then closes or hangs."""
    with private_directory() as directory, socket.socket(socket.AF_UNIX) as listener:
        path = str(directory / "peer.sock")
        listener.bind(path)
        listener.listen()
        done = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                if hang:
                    done.wait(60)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield path
        finally:
            done.set()
            thread.join()


def test_an_answer_is_read_to_its_end() -> None:
    with peer(b"HTTP/1.1 201 Made It\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-Y:z\r\n\r\nbody") as path:
        answer = ask(path, "/")
    assert (answer.status, answer.reason, answer.body) == (201, "Made It", b"body")
    assert answer.headers == (("set-cookie", "a"), ("set-cookie", "b"), ("x-y", "z"))
    assert (answer.header("x-y"), answer.header("nothing")) == ("z", None)


def test_an_answer_with_a_length_needs_no_end() -> None:
    with peer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", hang=True) as path:
        assert ask(path, "/").body == b"ok"
    with peer(b"HTTP/1.1 204 No Content\r\n\r\n", hang=True) as path:
        assert ask(path, "/").body == b""
    with peer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", hang=True) as path:
        assert ask(path, "/", method="HEAD").body == b""


def test_only_so_much_of_a_body_is_kept() -> None:
    with peer(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, hang=True) as path:
        assert ask(path, "/", limit=1000).body == b"x" * 1000


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed without an answer"),
        (b"HTTP/1.1 200 OK\r\nA: b", "head of the answer is cut"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "not an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "cut after 5 of 9 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -9\r\n\r\n", "Content-Length of -9"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "invalid literal"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000, "longer than 73728"),
    ],
)
def test_what_is_no_whole_answer_is_an_error(answer: bytes, words: str) -> None:
    with peer(answer) as path, pytest.raises(AskError, match=words):
        ask(path, "/")


@given(st.binary(max_size=200))
def test_no_answer_raises_anything_else(answer: bytes) -> None:
    with peer(answer) as path:
        try:
            ask(path, "/", timeout=5)
        except AskError:
            pass


def test_nobody_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AskError, match="No such file"):
        ask(str(tmp_path / "no.sock"), "/")
    with pytest.raises(AskError, match="too long"):
        ask("/x" * 200, "/")
    with pytest.raises(AskError, match="latin-1"):
        ask(str(tmp_path / "no.sock"), "/\N{SNOWMAN}")


def test_a_silent_peer_is_given_up_in_time() -> None:
    with peer(b"HTTP/1.1 200 OK\r\n", hang=True) as path, pytest.raises(AskError, match=r"within 0.2 s"):
        ask(path, "/", timeout=0.2)
