"""One request over a socket pair, as nginx sends it: PEP 3333, and what a cut looks like from nginx's side."""

from __future__ import annotations

import io
import logging
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from wsgiref.validate import validator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.link.uwsgi import encode
from portico.link.wsgi.exchange import Exchange
from portico.link.wsgi.request import Connection
from portico.link.wsgi.response import FileWrapper
from portico.link.wsgi.thread_pool import Slot
from tests.support.wire import read_until

Start = Callable[..., Callable[[bytes], None]]
App = Callable[[dict[str, Any], Start], Iterable[bytes]]

BASE: dict[str, Any] = {
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}
REQUEST = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "test",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REQUEST_SCHEME": "http",
}
PLAIN = [("Content-Type", "text/plain")]


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@dataclass
class Outcome:
    """`clean` is false when the connection was reset: nginx breaks the transfer then."""

    data: bytes
    clean: bool
    log: list[str]

    @property
    def head(self) -> str:
        return self.data.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]


@contextmanager
def connected(app: App) -> Iterator[tuple[socket.socket, list[str], Slot]]:
    """nginx's end of a connection that a thread serves."""
    ours, theirs = socket.socketpair()
    lines = Lines()
    log = logging.Logger("test", logging.INFO)
    log.addHandler(lines)
    slot = Slot("77 1", lambda _: None, True)
    connection = Connection(socket.AF_UNIX, socket.SOCK_STREAM, 0, theirs.detach())
    thread = threading.Thread(target=Exchange(app, BASE, log).serve, args=(connection, slot))
    ours.settimeout(60)
    with ours:
        thread.start()
        yield ours, lines.lines, slot
    thread.join(60)
    assert not thread.is_alive()
    assert slot.connection is None
    assert slot.environ is None


def request(
    app: App, variables: Mapping[str, str] | None = None, body: bytes = b"", raw: bytes | None = None
) -> Outcome:
    length = {"CONTENT_LENGTH": str(len(body))} if body else {}
    packet = encode(REQUEST | length | dict(variables or {})) + body if raw is None else raw
    with connected(app) as (ours, lines, _):
        sender = threading.Thread(target=send, args=(ours, packet, raw is not None))
        sender.start()
        data, clean = receive(ours)
        sender.join()
    return Outcome(data, clean, lines)


def send(ours: socket.socket, packet: bytes, ends: bool) -> None:
    try:
        ours.sendall(packet)
        if ends:
            ours.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the app did not want all of it


def receive(ours: socket.socket) -> tuple[bytes, bool]:
    data = b""
    try:
        while more := ours.recv(65536):
            data += more
    except ConnectionResetError:
        return data, False
    return data, True


def answering(*blocks: bytes, headers: list[tuple[str, str]] = PLAIN, status: str = "200 OK") -> App:
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start(status, headers)
        return list(blocks)

    return app


def environ_of(variables: Mapping[str, str], body: bytes = b"") -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        seen.update(environ)
        return answering(b"")(environ, start)

    request(app, variables, body)
    return seen


# the environ


def test_the_environ_is_what_pep_3333_wants() -> None:
    @validator  # type: ignore[arg-type]  # its idea of start_response is narrower
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        data = environ["wsgi.input"].read(100)
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"got ", data]

    variables = {
        "CONTENT_TYPE": "a/b",
        "HTTP_CONTENT_TYPE": "a/b",
        "HTTP_CONTENT_LENGTH": "3",
        "REQUEST_METHOD": "POST",
    }
    outcome = request(app, variables, b"abc")
    assert (outcome.body, outcome.clean, outcome.log) == (b"got abc", True, [])
    assert request(app).body == b"got "


@pytest.mark.parametrize(
    ("prefix", "path", "script_name", "path_info"),
    [
        ("/app", "/app/x", "/app", "/x"),
        ("/app", "/app", "/app", ""),
        ("/app/", "/app/x", "/app", "/x"),
        ("/app", "/application", "/app", "/application"),
        ("", "/x", "", "/x"),
    ],
)
def test_a_mount_point_is_cut_from_the_path(prefix: str, path: str, script_name: str, path_info: str) -> None:
    environ = environ_of({"SCRIPT_NAME": prefix, "PATH_INFO": path})
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script_name, path_info)


@pytest.mark.parametrize(
    ("variables", "scheme"),
    [
        ({"REQUEST_SCHEME": "https"}, "https"),
        ({"REQUEST_SCHEME": "", "HTTPS": "on"}, "https"),
        ({"REQUEST_SCHEME": "", "HTTPS": ""}, "http"),
        ({"HTTP_X_FORWARDED_PROTO": "https"}, "http"),
    ],
)
def test_the_scheme_is_nginx_s(variables: dict[str, str], scheme: str) -> None:
    assert environ_of(variables)["wsgi.url_scheme"] == scheme


def test_a_path_keeps_its_bytes() -> None:
    assert (
        environ_of({"PATH_INFO": "/ü".encode().decode("latin-1")})["PATH_INFO"].encode("latin-1")
        == "/ü".encode()
    )


def test_a_packet_may_come_in_pieces() -> None:
    packet = encode(REQUEST)
    with connected(answering(b"ok")) as (ours, lines, _):
        for at in [*range(5), *range(5, len(packet), 20)]:
            ours.sendall(packet[at : at + 1] if at < 5 else packet[at : at + 20])
        data, clean = receive(ours)
    assert data.endswith(b"ok")
    assert clean
    assert not lines


def test_a_packet_of_64_kib_is_read() -> None:
    environ = environ_of({"HTTP_COOKIE": "x" * 65_000})
    assert len(environ["HTTP_COOKIE"]) == 65_000


# who is refused


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "is it HTTP"),
        (b"G", "is it HTTP"),
        (b"\x00", "cut after 1 of 4 bytes"),
        (b"\x00\xff\xff\x00abc", "cut after 7 of 65539 bytes"),
        (encode(REQUEST)[:-1], "cut after"),
        (b"\x05" + encode(REQUEST)[1:], "modifier1 is 5"),
        (encode({"PATH_INFO": "/"}), "without REQUEST_METHOD"),
        (encode(REQUEST | {"CONTENT_LENGTH": "many"}), "CONTENT_LENGTH 'many'"),
        (encode(REQUEST | {"CONTENT_LENGTH": "-1"}), "CONTENT_LENGTH '-1'"),
        (encode(REQUEST | {"CONTENT_LENGTH": "9" * 30}), "CONTENT_LENGTH '999"),
    ],
)
def test_what_is_no_request_costs_one_line(raw: bytes, words: str) -> None:
    outcome = request(answering(b"never"), raw=raw)
    assert outcome.data == b""
    assert len(outcome.log) == 1
    assert words in outcome.log[0]
    assert "\n" not in outcome.log[0]


def test_a_peer_that_says_nothing_and_leaves_is_no_news() -> None:
    assert request(answering(b"never"), raw=b"").log == []


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_bytes_upset_it(raw: bytes) -> None:
    outcome = request(answering(b"ok"), raw=raw)
    assert not outcome.data
    assert len(outcome.log) <= 1


# the body


@pytest.mark.parametrize("size", [1, 2, 1000, 16_000, 70_000, 1_000_000, 3_000_001])
@pytest.mark.parametrize("block", [1, 7, 65_536, -1])
def test_a_body_is_read_whole_and_not_beyond(size: int, block: int) -> None:
    if size / abs(block) > 100_000:
        pytest.skip("a million reads")
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    got: list[bytes] = []

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        while data := environ["wsgi.input"].read(block):
            got.append(data)
        assert environ["wsgi.input"].read(1) == b""
        return answering(b"ok")(environ, start)

    outcome = request(app, {"REQUEST_METHOD": "POST"}, body)
    assert b"".join(got) == body
    assert (outcome.body, outcome.clean, outcome.log) == (b"ok", True, [])


def test_a_body_is_read_by_lines() -> None:
    body = b"one\ntwo\n" * 20_000

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        assert environ["wsgi.input"].readline() == b"one\n"
        assert environ["wsgi.input"].readlines(3) == [b"two\n"]
        return answering(str(len(list(environ["wsgi.input"]))).encode())(environ, start)

    assert request(app, {"REQUEST_METHOD": "POST"}, body).body == b"39998"


def test_no_body_reads_as_empty() -> None:
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        source = environ["wsgi.input"]
        assert (source.read(), source.read(5), source.readline(), source.readlines(), list(source)) == (
            b"",
            b"",
            b"",
            [],
            [],
        )
        return answering(b"ok")(environ, start)

    assert request(app, {"CONTENT_LENGTH": ""}).body == b"ok"


@pytest.mark.parametrize("size", [100, 100_000, 5_000_000])
def test_a_body_nobody_reads_does_not_spoil_the_answer(size: int) -> None:
    outcome = request(answering(b"no"), {"REQUEST_METHOD": "POST"}, b"x" * size)
    assert (outcome.body, outcome.clean, outcome.log) == (b"no", True, [])


@pytest.mark.parametrize("size", [30_000, 1_000_000])
def test_a_body_that_ends_early_is_an_error_for_the_app(size: int) -> None:
    errors: list[BaseException] = []

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            errors.append(error)
            raise
        raise AssertionError("not reached")

    packet = encode(REQUEST | {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(size + 1)}) + b"x" * size
    outcome = request(app, raw=packet)
    assert len(errors) == 1, outcome
    assert outcome.log == []  # the client's doing, not the app's


# the response


def test_a_short_answer_is_one_write_with_its_length() -> None:
    outcome = request(answering(b"hello"))
    assert outcome.head.splitlines()[:3] == [
        "HTTP/1.1 200 OK",
        "Content-Type: text/plain",
        "Content-Length: 5",
    ]
    assert (outcome.body, outcome.clean) == (b"hello", True)


@pytest.mark.parametrize(
    "blocks", [(), (b"",), (b"a", b"", b"b"), (b"x" * 70_000,), (b"x" * 3_000_000, b"y")]
)
def test_what_is_known_goes_with_its_length(blocks: tuple[bytes, ...]) -> None:
    outcome = request(answering(*blocks))
    assert f"Content-Length: {sum(map(len, blocks))}" in outcome.head
    assert (outcome.body, outcome.clean) == (b"".join(blocks), True)


@pytest.mark.parametrize(
    ("method", "status", "headers", "length"),
    [
        ("HEAD", "200 OK", [("Content-Length", "5")], "5"),
        ("HEAD", "200 OK", [], None),
        ("GET", "204 No Content", [("Content-Length", "0")], None),
        ("GET", "304 Not Modified", [], None),
        ("GET", "304 Not Modified", [("Content-Length", "5")], "5"),
    ],
)
def test_no_body_where_http_has_none(
    method: str, status: str, headers: list[tuple[str, str]], length: str | None
) -> None:
    outcome = request(answering(b"hello", headers=headers, status=status), {"REQUEST_METHOD": method})
    assert (outcome.body, outcome.clean, outcome.log) == (b"", True, [])
    assert ("Content-Length: " + length in outcome.head) if length else ("Content-Length" not in outcome.head)


def test_an_endless_body_of_head_is_not_waited_for() -> None:
    closed = []

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        try:
            start("200 OK", PLAIN)
            while True:
                yield b"x"
        finally:
            closed.append(True)

    assert request(app, {"REQUEST_METHOD": "HEAD"}).clean
    assert closed == [True]


def test_a_generator_may_start_its_response_late() -> None:
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        yield b""
        start("201 Created", PLAIN)
        yield b""
        yield b"late"

    outcome = request(app)
    assert outcome.head.startswith("HTTP/1.1 201 Created")
    assert outcome.body == b"late"


def test_write_sends_at_once_and_before_the_rest() -> None:
    released = threading.Event()

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        write = start("200 OK", PLAIN)
        write(b"one ")
        assert released.wait(60)
        write(b"two ")
        return [b"three"]

    with connected(app) as (ours, _, _slot):
        ours.sendall(encode(REQUEST))
        assert read_until(ours, b"one ").endswith(b"\r\n\r\none ")
        released.set()
        rest, clean = receive(ours)
    assert (rest, clean) == (b"two three", True)


def test_each_block_of_a_stream_is_sent_before_the_next_is_made() -> None:
    asked = threading.Semaphore(0)

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/event-stream; charset=utf-8")])
        for number in range(3):
            yield b"%d" % number
            assert asked.acquire(timeout=60)

    with connected(app) as (ours, _, _slot):
        ours.sendall(encode(REQUEST))
        head, _, first = read_until(ours, b"\r\n\r\n0").partition(b"\r\n\r\n")
        assert (first, b"X-Accel-Buffering: no" in head) == (b"0", True)
        for number in (b"1", b"2"):
            asked.release()
            assert ours.recv(65536) == number
        asked.release()
        assert receive(ours) == (b"", True)


@pytest.mark.parametrize("chosen", ["yes", "no"])
def test_an_app_decides_about_its_own_events(chosen: str) -> None:
    headers = [("Content-Type", "text/event-stream"), ("x-accel-buffering", chosen)]
    head = request(answering(b"", headers=headers)).head
    assert head.lower().count("x-accel-buffering") == 1
    assert f"x-accel-buffering: {chosen}" in head


def test_exc_info_replaces_what_was_not_sent_yet() -> None:
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "100")])
        try:
            raise KeyError("x")
        except KeyError:
            start("503 Sorry", PLAIN, sys.exc_info())
        return [b"sorry"]

    outcome = request(app)
    assert outcome.head.startswith("HTTP/1.1 503 Sorry")
    assert (outcome.body, outcome.clean, outcome.log) == (b"sorry", True, [])


def test_exc_info_after_the_head_is_raised_and_cuts() -> None:
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", PLAIN)
        yield b"half"
        try:
            raise KeyError("too late")
        except KeyError:
            start("500 Oops", PLAIN, sys.exc_info())
        yield b"never"

    outcome = request(app)
    assert (outcome.body, outcome.clean) == (b"half", False)
    assert "KeyError: 'too late'" in outcome.log[0]


@pytest.mark.parametrize("body", [b"", b"small", b"x" * 1_000_000])
@pytest.mark.parametrize("read", [0, 3, -1])
@pytest.mark.parametrize("headers", [PLAIN, [("Content-Length", "100")]])
def test_a_cut_stream_is_reset(body: bytes, read: int, headers: list[tuple[str, str]]) -> None:
    closed = []

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        environ["wsgi.input"].read(read)
        start("200 OK", headers)
        try:
            yield b"half"
            raise RuntimeError("in the middle")
        finally:
            closed.append(True)

    outcome = request(app, {"REQUEST_METHOD": "POST", "HTTP_X_REQUEST_ID": "r-1"}, body)
    assert (outcome.body, outcome.clean) == (b"half", False)
    assert "POST / request r-1 failed, its response is cut short" in outcome.log[0]
    assert closed == [True]


@pytest.mark.parametrize("reads", [0, 1])
def test_a_cut_while_the_body_is_still_coming_is_reset(reads: int) -> None:
    """The app has read all there is: the response goes on only when a byte is there that shows the cut."""

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        environ["wsgi.input"].read(60_000)
        start("200 OK", PLAIN)
        yield b"half"
        for _ in range(reads):
            environ["wsgi.input"].read(1)
        raise RuntimeError("in the middle")

    packet = encode(REQUEST | {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "1000000"})
    with connected(app) as (ours, _, _slot):
        ours.sendall(packet + b"x" * 60_000)
        assert not select.select([ours], [], [], 0.1)[0]
        ours.sendall(b"x")
        assert read_until(ours, b"half").endswith(b"half")
        for _ in range(reads):
            assert not select.select([ours], [], [], 0.1)[0]
            ours.sendall(b"x")
        assert receive(ours) == (b"", False)


@pytest.mark.parametrize("blocks", [(b"longer",), (b"lo", b"nger")])
def test_a_body_longer_than_its_length_is_shortened_and_said(blocks: tuple[bytes, ...]) -> None:
    outcome = request(answering(*blocks, headers=[("Content-Length", "4")]))
    assert (outcome.body, outcome.clean) == (b"long", True)
    assert "longer than its Content-Length" in outcome.log[0]


def test_a_body_shorter_than_its_length_is_cut() -> None:
    outcome = request(answering(b"short", headers=[("Content-Length", "9")]))
    assert not outcome.clean
    assert "ended 4 bytes before its Content-Length" in outcome.log[0]


def test_a_body_longer_than_its_length_is_bounded() -> None:
    outcome = request(answering(b"too long", b" by far", headers=[("Content-Length", "3")]))
    assert (outcome.body, outcome.clean) == (b"too", True)


def test_an_error_before_the_head_is_a_500_with_its_traceback_logged() -> None:
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        raise RuntimeError("secret")

    outcome = request(app, {"PATH_INFO": "/a b\n", "HTTP_X_REQUEST_ID": "r-1"})
    assert outcome.head.startswith("HTTP/1.1 500 Internal Server Error")
    assert b"secret" not in outcome.data
    assert outcome.clean
    assert outcome.log[0].startswith("GET /a b\\n request r-1 failed\nTraceback")
    assert "RuntimeError: secret" in outcome.log[0]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("200 OK\r\nX-Evil: 1", PLAIN),
        ("OK", PLAIN),
        ("20", PLAIN),
        ("200 OK", [("X-A", "a\r\nX-Evil: 1")]),
        ("200 OK", [("X-A", "a\nX-Evil: 1")]),
        ("200 OK", [("X-A", "a\rX-Evil: 1")]),
        ("200 OK", [("X-A", "a\0")]),
        ("200 OK", [("X-A\r\nX-Evil", "1")]),
        ("200 OK", [("X A", "1")]),
        ("200 OK", [("", "1")]),
        ("200 OK", [("X-A", "\N{SNOWMAN}")]),
        ("200 OK", [("X-A", 5)]),
        ("200 OK", [("Content-Length", "5, 5")]),
        ("200 OK", [("Content-Length", "-5")]),
        # as many injected lines as headers that are left out
        ("200 OK", [("Connection", "close"), ("X-A", "a\r\nX-Evil: 1")]),
    ],
)
def test_a_head_that_http_cannot_carry_is_a_500(status: str, headers: list[Any]) -> None:
    outcome = request(answering(b"x", headers=headers, status=status))
    assert outcome.head.startswith("HTTP/1.1 500 ")
    assert "Evil" not in outcome.head
    assert len(outcome.log) == 1


def test_hop_by_hop_headers_and_our_own_are_left_out() -> None:
    headers = [
        ("Connection", "close"),
        ("keep-alive", "1"),
        ("Transfer-Encoding", "chunked"),
        ("X-PORTICO", "lies"),
    ]
    head = request(answering(b"", headers=[*headers, ("X-Mine", "1")])).head
    assert [line.partition(":")[0] for line in head.splitlines()[1:]] == [
        "X-Mine",
        "Content-Length",
        "X-Portico",
    ]
    assert "lies" not in head


@pytest.mark.parametrize(
    "app",
    [
        lambda environ, start: [b"without start_response"],
        lambda environ, start: None,
        lambda environ, start: (start("200 OK", PLAIN), "text")[1],
        lambda environ, start: (start("200 OK", PLAIN), ["text"])[1],
        lambda environ, start: (start("200 OK", PLAIN), start("200 OK", PLAIN), [b""])[2],
        lambda environ, start: sys.exit(3),
    ],
)
def test_an_app_that_breaks_the_rules_gets_a_500(app: App) -> None:
    outcome = request(app)
    assert outcome.head.startswith("HTTP/1.1 500 ")
    assert outcome.clean
    assert len(outcome.log) == 1


def test_close_is_called_and_may_fail() -> None:
    class Result:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"body"])

        def close(self) -> None:
            raise RuntimeError("in close")

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", PLAIN)
        return Result()

    outcome = request(app)
    assert (outcome.body, outcome.clean) == (b"body", True)
    assert "failed in close()" in outcome.log[0]


def test_a_client_that_leaves_closes_the_generator_without_a_word() -> None:
    closed = threading.Event()

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", PLAIN)
        try:
            while True:
                yield b"x" * 10_000
        finally:
            closed.set()

    with connected(app) as (ours, lines, _):
        ours.sendall(encode(REQUEST))
        ours.recv(1000)
        ours.close()
        assert closed.wait(60)
    assert lines == []


# files


@pytest.mark.parametrize("size", [0, 10, 5_000_000])
@pytest.mark.parametrize("offset", [0, 7])
@pytest.mark.parametrize("length", [None, 5])
def test_a_file_is_sent_from_where_it_stands(size: int, offset: int, length: int | None) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    expected = content[offset:][:length]
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(offset)

        def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
            start("200 OK", PLAIN if length is None else [("Content-Length", str(len(expected)))])
            return environ["wsgi.file_wrapper"](file)  # type: ignore[no-any-return]

        outcome = request(app)
    assert (outcome.body, outcome.clean, outcome.log) == (expected, True, [])


def test_a_file_without_a_descriptor_is_read() -> None:
    file = io.BytesIO(b"x" * 100_000)

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", PLAIN)
        return FileWrapper(file, 1000)

    assert request(app).body == b"x" * 100_000
    assert file.closed


def test_a_file_shorter_than_its_length_is_cut() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"short")
        file.seek(0)

        def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
            start("200 OK", [("Content-Length", "9")])
            return FileWrapper(file)

        assert not request(app).clean


# the numbers, and the socket


def test_the_numbers_go_back_with_the_head() -> None:
    class Request:
        endpoint = "shop.cart\r\n ü"

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        environ["werkzeug.request"] = Request()
        return answering(b"")(environ, start)

    def numbers(app: App, variables: dict[str, str]) -> list[str]:
        line = next(
            line for line in request(app, variables).head.splitlines() if line.startswith("X-Portico: ")
        )
        return line.split(" ")[1:]

    queue, app_us, pid, thread, endpoint = numbers(app, {"PORTICO_MSEC": "1.000"})
    assert int(queue) > 1e15
    assert 0 <= int(app_us) < 5e6
    assert (pid, thread, endpoint) == ("77", "1", "shop.cart____")
    assert numbers(answering(b""), {})[0] == "-"
    assert numbers(answering(b""), {})[4] == "-"
    assert numbers(answering(b""), {"PORTICO_MSEC": "soon"})[0] == "0"
    assert numbers(answering(b""), {"PORTICO_MSEC": "99999999999.0"})[0] == "0"


def test_a_handed_over_socket_is_the_app_s() -> None:
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        connection = environ["gunicorn.socket"]
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        connection.sendall(connection.recv(100).upper())
        raise StopIteration  # flask-sock's way to say that it has answered

    with connected(app) as (ours, lines, _):
        ours.sendall(encode(REQUEST | {"HTTP_UPGRADE": "websocket"}))
        assert read_until(ours, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        ours.sendall(b"hello")
        assert receive(ours) == (b"HELLO", True)
    assert lines == []


def test_a_socket_that_was_not_used_leaves_http_as_it_was() -> None:
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        assert "gunicorn.socket" in environ
        start("200 OK", PLAIN)
        yield b"half"
        raise RuntimeError

    outcome = request(app, {"HTTP_UPGRADE": "websocket"})
    assert (outcome.body, outcome.clean) == (b"half", False)
    assert "gunicorn.socket" not in environ_of({})
