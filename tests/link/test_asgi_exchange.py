"""The worker for ASGI apps over a unix socket, as nginx speaks to it: bad moments of clients and apps."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import logging
import os
import resource
import socket
import time
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from portico.link.asgi.departures import Departures
from portico.link.asgi.exchange import Exchange, Means
from portico.link.asgi.files import Files
from portico.link.asgi.scope import Packets
from portico.link.asgi.server import Server
from portico.link.trace import Tracer
from portico.link.uwsgi import encode
from portico.link.websocket.leaving import Leaving
from portico.link.wsgi.download import Downloads
from portico.link.wsgi.queue import Queue
from tests.link.test_exchange import Lines

App = Callable[..., Coroutine[Any, Any, None]]
HANDSHAKE = {
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "AAAAAAAAAAAAAAAAAAAAAA==",
}
ENDLESS = 60.0
"""Seconds that no test should need."""


class Peer:
    """nginx's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await asyncio.wait_for(self.loop.sock_sendall(self.connection, data), ENDLESS)

    async def receive(self) -> bytes:
        return await asyncio.wait_for(self.loop.sock_recv(self.connection, 1 << 16), ENDLESS)

    async def read(self) -> tuple[bytes, bool]:
        """Everything, and whether it ended without a reset."""
        data = b""
        try:
            while more := await self.receive():
                data += more
        except ConnectionResetError:
            return data, False
        return data, True

    async def until(self, words: bytes) -> bytes:
        data = b""
        while words not in data:
            more = await self.receive()
            assert more, data
            data += more
        return data

    def close(self) -> None:
        self.connection.close()


class Site:
    """One app in this event loop."""

    def __init__(
        self, app: App, log: logging.Logger, downloads: Downloads | None = None, queue: Queue | None = None
    ) -> None:
        loop = asyncio.get_running_loop()
        self.queue = queue or Queue(ENDLESS)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("")
        listener.listen()
        self.listener = listener
        means = Means(
            app, loop, log, Packets(None), Departures(loop), Files(downloads), Tracer.of({}), {}, ENDLESS,
            queue=self.queue,
        )  # fmt: skip
        self.server = Server(listener, means, Leaving(None))
        self.server.resume()

    async def connect(self) -> Peer:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, self.listener.getsockname())
        return Peer(connection)

    async def ask(self, body: bytes = b"", /, **variables: str) -> Peer:
        peer = await self.connect()
        sent = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1", **variables}
        await peer.send(encode(sent) + body)
        return peer

    async def get(self, body: bytes = b"", /, **variables: str) -> tuple[bytes, bool]:
        return await (await self.ask(body, **variables)).read()

    def exchange(self) -> Exchange:
        """The only open one."""
        (found,) = self.server.open
        return found

    async def left(self) -> None:
        """The client has left 3 s ago, and the server has looked."""
        exchange = self.exchange()
        await until(lambda: exchange.has_left)
        self.server.look()
        exchange.left -= 3_000_000_000
        self.server.look()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(ENDLESS):
        while not holds():
            await asyncio.sleep(0.005)


LOOPS = ["asyncio", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]
"""Those that the worker would take here."""


@pytest.fixture(params=LOOPS)
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=importlib.import_module(request.param).new_event_loop) as made:
        yield made


@pytest.fixture
def log() -> Iterator[Lines]:
    handler = Lines()
    logger = logging.getLogger("tests.asgi")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


LOG = logging.getLogger("tests.asgi")


async def start(send: Any, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def part(send: Any, body: Any, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def ok(send: Any) -> None:
    await start(send)
    await part(send, b"ok", False)


EVENTS = (b"content-type", b"text/event-stream")


@pytest.mark.parametrize("size", [20_000, 60_000, 150_000, 1_000_000])
def test_a_streamed_answer_to_a_body_that_the_app_does_not_read_is_whole(
    runner: asyncio.Runner, log: Lines, size: int
) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        await part(send, b"first ")
        await part(send, b"last", False)

    async def ask() -> tuple[bytes, bool]:
        site = Site(app, LOG)
        peer = await site.ask(CONTENT_LENGTH=str(size), REQUEST_METHOD="POST")
        sending = asyncio.ensure_future(peer.send(bytes(size)))
        answer = await peer.read()
        await sending
        return answer

    for _ in range(5):
        data, is_whole = runner.run(ask())
        assert is_whole
        assert data.endswith(b"\r\n\r\nfirst last")
    assert not log.lines


@pytest.mark.parametrize(
    ("sent", "judged", "raw"),
    [
        ("/a%2Fb//c?d", "/a/b//c", "/a%2Fb//c"),
        ("/private/../open", "/open", "/open"),
        ("/private/%2e%2e/open", "/open", "/open"),
        ("/of/a#/secret", "/of/a", "/of/a"),
        ("/é b", "/é b", "/é b"),
        ("/a%20b", "/a b", "/a%20b"),
        ("/was", "/a%2fb c", "/a%252fb%20c"),
        ("/a%2fb", "/a%2fb", "/a%252fb"),
    ],
)
def test_the_raw_path_is_the_one_that_nginx_has_judged(sent: str, judged: str, raw: str) -> None:
    packet = encode({"REQUEST_METHOD": "GET", "REQUEST_URI": sent, "PATH_INFO": judged})
    packets = Packets(None)
    scope = packets.scope(*packets.read(packet, len(packet)), {})
    assert scope["raw_path"] == raw.encode("latin-1")


def test_the_prefix_of_a_proxy_is_no_other_path() -> None:
    for sent, judged, raw in (
        ("/x%2Fy", "/outer/x/y", b"/outer/x%2Fy"),
        ("/p/../x", "/outer/x", b"/outer/x"),
    ):
        packet = encode(
            {
                "REQUEST_METHOD": "GET",
                "REQUEST_URI": sent,
                "PATH_INFO": judged,
                "SCRIPT_NAME": "/outer",
            }
        )
        packets = Packets(None)
        assert packets.scope(*packets.read(packet, len(packet)), {})["raw_path"] == raw


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_stream_whose_client_has_left_ends_and_others_are_served_meanwhile(
    runner: asyncio.Runner, log: Lines, method: str
) -> None:
    ended = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["path"] == "/ok":
            await ok(send)
            return
        await start(send, EVENTS)
        await part(send, b"data: 1\n\n")
        try:
            while method == "HEAD":
                await part(send, b"data: 2\n\n")
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def play() -> None:
        site = Site(app, LOG)
        peer = await site.ask(REQUEST_METHOD=method)
        await peer.until(b"\r\n\r\n")
        assert (await site.get(PATH_INFO="/ok"))[0].endswith(b"ok")
        site.server.look()
        assert not ended
        peer.close()
        await site.left()
        await until(lambda: ended and not site.server.unfinished)

    runner.run(play())
    assert not log.lines


def test_a_silent_stream_of_starlette_ends_with_its_client(runner: asyncio.Runner, log: Lines) -> None:
    ended = []

    async def events() -> Any:
        try:
            yield "data: 1\n\n"
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def view(_: Any) -> StreamingResponse:
        return StreamingResponse(events(), media_type="text/event-stream")

    async def play() -> None:
        site = Site(Starlette(routes=[Route("/", view)]), LOG)
        peer = await site.ask()
        await peer.until(b"data: 1")
        peer.close()
        await until(lambda: ended and not site.server.unfinished)

    runner.run(play())
    assert not log.lines


def test_an_event_stream_whose_client_does_not_read_ends_at_the_deadline(
    runner: asyncio.Runner, log: Lines
) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send, EVENTS)
        while True:
            await part(send, bytes(1 << 20))

    async def play() -> None:
        site = Site(app, LOG)
        peer = await site.ask(PORTICO_DEADLINE="0.05")
        await peer.receive()
        exchange = site.exchange()
        while not exchange.is_overdue:
            await asyncio.sleep(0.02)
            site.server.look()
        await until(lambda: not site.server.unfinished)

    runner.run(play())
    (line,) = log.lines  # any client can do that: a line, and no stack
    assert line.startswith("GET /: the client did not go on for")


@pytest.mark.parametrize("coding", [b"gzip", b""])
def test_a_comment_is_sent_in_an_event_stream_that_is_not_compressed(
    runner: asyncio.Runner, log: Lines, coding: bytes
) -> None:
    speak = asyncio.Event()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send, EVENTS, *([(b"Content-Encoding", coding)] if coding else []))
        await part(send, gzip.compress(b"data: 1\n\n") + b"\n")
        await speak.wait()
        await part(send, b"end", False)

    async def play() -> bytes:
        site = Site(app, LOG)
        peer = await site.ask(PORTICO_DEADLINE="20")
        await peer.until(b"\r\n\r\n")
        site.exchange().wire.moved -= 10_000_000_000
        site.server.look()
        speak.set()
        return (await peer.read())[0]

    assert (b":\n" in runner.run(play())) == (not coding)
    assert not log.lines


@pytest.mark.parametrize("is_socket", [False, True])
def test_a_send_that_the_app_cancelled_never_looks_whole(
    runner: asyncio.Runner, log: Lines, is_socket: bool
) -> None:
    gave_up = asyncio.Event()

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        await part(send, b"first ")
        await give_up(part(send, b"x" * 2_000_000))
        await part(send, b"", False)

    async def speak(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await give_up(send({"type": "websocket.send", "bytes": b"x" * 2_000_000}))
        await send({"type": "websocket.send", "text": "next"})

    async def give_up(sending: Awaitable[None]) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sending, 0.05)
        gave_up.set()

    async def play() -> tuple[bytes, bool]:
        site = Site(speak if is_socket else answer, LOG)
        peer = await site.ask(**(HANDSHAKE if is_socket else {}))
        await gave_up.wait()
        if not is_socket:
            return await peer.read()
        _, _, data = (await peer.until(b"\r\n\r\n")).partition(b"\r\n\r\n")
        client = ClientProtocol(parse_uri("ws://x"), state=OPEN, max_size=None)
        client.receive_data(data)
        frames: list[Frame] = []
        while len(frames) < 2:
            client.receive_data(await peer.receive())
            frames += [one for one in client.events_received() if isinstance(one, Frame)]
        peer.close()
        await until(lambda: not site.server.unfinished)
        return b" ".join(bytes(one.data)[-4:] for one in frames[:2]), len(frames[0].data) == 2_000_000

    data, is_whole = runner.run(play())
    assert is_whole == is_socket
    if is_socket:
        assert data == b"xxxx next"
    else:
        assert "cancelled a send" in log.lines[0]


def test_two_tasks_of_an_app_may_send(runner: asyncio.Runner, log: Lines) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        await part(send, b"")
        await asyncio.gather(*(part(send, letter * 1_000_000) for letter in (b"a", b"b", b"c")))
        await part(send, b"", False)

    data, is_whole = runner.run(_asked(app))
    assert is_whole
    body = data.partition(b"\r\n\r\n")[2]
    assert sorted(body[at : at + 1_000_000] for at in (0, 1_000_000, 2_000_000)) == [
        letter * 1_000_000 for letter in (b"a", b"b", b"c")
    ]
    assert not log.lines


async def _asked(app: App, body: bytes = b"", /, **variables: str) -> tuple[bytes, bool]:
    return await Site(app, LOG).get(body, **variables)


class _Odd:
    def __getattr__(self, name: str) -> str:
        raise RuntimeError(name)


@pytest.mark.parametrize(
    "found",
    [type("日本", (), {}), type("señal", (), {}), type("_", (), {"__name__": 5})(), _Odd()],
    ids=["Japanese", "Spanish", "a number", "an error"],
)
def test_a_route_may_have_any_name(runner: asyncio.Runner, log: Lines, found: object) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        scope["endpoint"] = found
        await ok(send)

    data, is_whole = runner.run(_asked(app))
    assert is_whole
    assert data.startswith(b"HTTP/1.1 200")
    assert not log.lines


async def count(receive: Any, send: Any) -> None:
    """Answers the size of its body, and then much more than a socket holds."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await start(send)
    await part(send, b"%d " % size + b"x" * 1_000_000, False)


async def counted(site: Site) -> None:
    """The next connection, which has the file descriptor of the last one, is read and written as usual."""
    other = await site.ask(b"x", CONTENT_LENGTH="100000", PATH_INFO="/count")
    await asyncio.sleep(0.02)
    await other.send(b"x" * 99_999)
    data, is_whole = await other.read()
    assert is_whole
    assert b"\r\n\r\n100000 xxx" in data
    other.close()


def test_a_task_that_reads_when_its_request_ends_is_told_and_harms_no_other(
    runner: asyncio.Runner, log: Lines
) -> None:
    async def play() -> list[str]:
        tasks = list[asyncio.Task[str]]()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/count":
                await count(receive, send)
                return

            async def read() -> str:
                while (message := await receive())["type"] == "http.request":
                    pass
                return str(message["type"])

            tasks.append(asyncio.ensure_future(read()))
            await asyncio.sleep(0.02)
            raise RuntimeError("broken")

        site = Site(app, LOG)
        for _ in range(5):
            peer = await site.ask(CONTENT_LENGTH="100000")
            for _ in range(2):
                await asyncio.sleep(0.03)
                await peer.send(b"some of it")
            assert (await peer.until(b"Error\n")).startswith(b"HTTP/1.1 500")
            peer.close()
            await until(lambda: not site.server.unfinished)
            await counted(site)
        return await asyncio.gather(*tasks)

    assert runner.run(play()) == ["http.disconnect"] * 5


def test_a_task_that_sends_when_its_request_ends_is_told_and_harms_no_other(
    runner: asyncio.Runner, log: Lines
) -> None:
    async def play() -> list[str]:
        tasks = list[asyncio.Task[str]]()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/count":
                await count(receive, send)
                return

            async def say() -> str:
                with pytest.raises(OSError, match=r"closed|descriptor"):
                    await part(send, bytes(2_000_000))
                return "closed"

            await start(send)
            tasks.append(asyncio.ensure_future(say()))
            await asyncio.sleep(0.02)
            raise RuntimeError("broken")

        site = Site(app, LOG)
        peers = []
        for _ in range(5):
            peers.append(await site.ask())
            await until(lambda: site.server.accepted and not site.server.unfinished)
            await counted(site)
        return await asyncio.gather(*tasks)

    assert runner.run(play()) == ["closed"] * 5


def test_a_cancellation_of_the_app_s_own_is_an_error(runner: asyncio.Runner, log: Lines) -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise asyncio.CancelledError("its own")

    assert runner.run(_asked(app))[0].startswith(b"HTTP/1.1 500")
    assert "CancelledError" in log.lines[0]


def test_a_view_that_cancels_its_own_task_is_an_error(runner: asyncio.Runner, log: Lines) -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        task = asyncio.current_task()
        assert task
        task.cancel()
        await asyncio.sleep(ENDLESS)

    assert runner.run(_asked(app))[0].startswith(b"HTTP/1.1 500")
    assert "CancelledError" in log.lines[0]


@pytest.mark.parametrize("parts", [(b"longer",), (b"lo", b"nger")])
def test_a_body_longer_than_its_length_is_shortened_and_said(
    runner: asyncio.Runner, log: Lines, parts: tuple[bytes, ...]
) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send, (b"content-length", b"4"))
        for one in parts:
            await part(send, one, one is not parts[-1])

    data, is_whole = runner.run(_asked(app))
    assert (data.partition(b"\r\n\r\n")[2], is_whole) == (b"long", True)
    assert "longer than its Content-Length" in log.lines[0]


def test_a_folder_for_a_file_is_an_error_before_anything_is_sent(runner: asyncio.Runner, log: Lines) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        await send({"type": "http.response.pathsend", "path": "/"})

    assert runner.run(_asked(app))[0].startswith(b"HTTP/1.1 500")
    assert "'/', which is not a file" in log.lines[0]


def test_an_app_that_is_no_coroutine_is_an_error(runner: asyncio.Runner, log: Lines) -> None:
    def app(_scope: Any) -> Any:
        return None

    assert runner.run(_asked(app))[0].startswith(b"HTTP/1.1 500")
    assert "TypeError" in log.lines[0]


def test_text_for_a_body_is_an_error_before_anything_is_sent(runner: asyncio.Runner, log: Lines) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        await part(send, "text", False)

    assert runner.run(_asked(app))[0].startswith(b"HTTP/1.1 500")
    assert "not bytes but str" in log.lines[0]


def test_a_piece_of_a_body_is_progress(runner: asyncio.Runner, log: Lines) -> None:
    moments = list[int]()

    async def play() -> bytes:
        site: Site

        async def app(_scope: Any, receive: Any, send: Any) -> None:
            more = True
            while more:
                more = (await receive())["more_body"]
                moments.append(site.exchange().wire.moved)
            await ok(send)

        site = Site(app, LOG)
        peer = await site.ask(CONTENT_LENGTH="40000")
        for _ in range(4):
            await asyncio.sleep(0.01)
            await peer.send(bytes(10_000))
        return (await peer.read())[0]

    assert runner.run(play()).endswith(b"ok")
    assert len(moments) > 1
    assert moments == sorted(set(moments))
    assert not log.lines


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_is_the_whole_body_whatever_follows(
    runner: asyncio.Runner, log: Lines, tmp_path: Path, method: str
) -> None:
    (tmp_path / "file").write_bytes(b"of the file")

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send, (b"X-Sendfile", os.fsencode(tmp_path / "file")))
        for more in (True, True, False):
            await part(send, b"of the app", more)

    async def play() -> tuple[bytes, bool]:
        return await Site(app, LOG, Downloads([str(tmp_path)])).get(REQUEST_METHOD=method)

    data, is_whole = runner.run(play())
    assert is_whole
    assert data.partition(b"\r\n\r\n")[2] == (b"of the file" if method == "GET" else b"")
    assert not log.lines


def test_a_handshake_with_a_body_is_refused(runner: asyncio.Runner, log: Lines) -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError

    for body, size in ((b"body", 4), (b"x", 1), (bytes(50_000), 50_000)):
        data, is_whole = runner.run(_asked(app, body, CONTENT_LENGTH=str(size), **HANDSHAKE))
        assert data.startswith(b"HTTP/1.1 400")
        assert is_whole
    assert not log.lines


@pytest.mark.parametrize(
    "how", ["leaves before", "is refused", "is answered", "cannot be accepted", "is closed"]
)
def test_a_websocket_that_is_over_is_a_disconnect(runner: asyncio.Runner, log: Lines, how: str) -> None:
    told = list[Any]()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if how == "is refused":
            await send({"type": "websocket.close"})
        elif how == "is answered":
            await send({"type": "websocket.http.response.start", "status": 418, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b"tea"})
        elif how == "cannot be accepted":
            await asyncio.sleep(0.05)
            with pytest.raises(OSError, match=r"pipe|closed"):
                await send({"type": "websocket.accept"})
        elif how == "is closed":
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 4001})
        told.append(await receive())

    async def play() -> None:
        site = Site(app, LOG)
        peer = await site.ask(**HANDSHAKE)
        if how in ("leaves before", "cannot be accepted"):
            await until(lambda: site.server.accepted)
            peer.close()
        await until(lambda: told)
        peer.close()
        await until(lambda: not site.server.unfinished)

    runner.run(play())
    assert told[0]["type"] == "websocket.disconnect"
    assert told[0]["code"] == (4001 if how == "is closed" else 1006)
    assert not log.lines


def test_what_a_client_said_before_it_left_is_heard(runner: asyncio.Runner, log: Lines) -> None:
    heard = list[Any]()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.sleep(0.05)
        while (message := await receive())["type"] == "websocket.receive":
            heard.append(message["text"])
            await asyncio.sleep(0)

    async def play() -> None:
        site = Site(app, LOG)
        peer = await site.ask(**HANDSHAKE)
        await peer.until(b"\r\n\r\n")
        await peer.send(b"".join(_frame(b"%d" % number) for number in range(100)))
        peer.close()
        await until(lambda: not site.server.unfinished)

    runner.run(play())
    assert heard == [str(number) for number in range(100)]
    assert not log.lines


def _frame(data: bytes, *, first: int = 0x81) -> bytes:
    """A masked frame, whose mask is zero."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xff" + len(data).to_bytes(8, "big")
    return bytes([first]) + size + bytes(4) + data


def test_what_a_client_sends_waits_in_the_socket_while_the_app_does_not_listen(
    runner: asyncio.Runner, log: Lines
) -> None:
    listen, heard = asyncio.Event(), list[int]()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await listen.wait()
        while (message := await receive())["type"] == "websocket.receive":
            heard.append(len(message["bytes"]))

    async def play() -> int:
        site = Site(app, LOG)
        peer = await site.ask(**HANDSHAKE)
        await peer.until(b"\r\n\r\n")
        data = memoryview(_frame(bytes(500_000), first=0x82) * 30)
        sent = idle = 0
        while idle < 20 and sent < len(data):
            try:
                sent += peer.connection.send(data[sent:])
                idle = 0
            except BlockingIOError:
                idle += 1
            await asyncio.sleep(0.005)
        listen.set()
        await peer.send(bytes(data[sent:]))
        peer.close()
        await until(lambda: not site.server.unfinished)
        return sent

    assert runner.run(play()) < 4_000_000
    assert heard == [500_000] * 30
    assert not log.lines


def test_what_a_compressed_message_becomes_is_bounded(runner: asyncio.Runner, log: Lines) -> None:
    listen, heard = asyncio.Event(), list[int]()
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)

    def packed() -> bytes:
        data = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)
        return _frame(data.removesuffix(b"\0\0\xff\xff"), first=0xC2)

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await listen.wait()
        while (message := await receive())["type"] == "websocket.receive":
            heard.append(len(message["bytes"]))

    async def play() -> int:
        site = Site(app, LOG)
        offer = {"HTTP_SEC_WEBSOCKET_EXTENSIONS": "permessage-deflate; client_max_window_bits"}
        peer = await site.ask(**HANDSHAKE, **offer)
        assert b"permessage-deflate" in await peer.until(b"\r\n\r\n")
        await peer.send(b"".join(packed() for _ in range(50)))
        websocket = site.exchange().websocket
        assert websocket
        await until(lambda: websocket._messages and not websocket._is_reading)
        waiting = websocket._waiting_bytes
        listen.set()
        peer.close()
        await until(lambda: not site.server.unfinished)
        return waiting

    assert runner.run(play()) < 6 << 20
    assert heard == [1 << 20] * 50
    assert not log.lines


def test_a_websocket_whose_app_does_not_hear_that_its_client_left_ends_at_the_deadline(
    runner: asyncio.Runner, log: Lines
) -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.Event().wait()

    async def play() -> None:
        site = Site(app, LOG)
        peer = await site.ask(**HANDSHAKE, PORTICO_DEADLINE="0.05")
        await peer.until(b"\r\n\r\n")
        exchange = site.exchange()
        for _ in range(4):
            await asyncio.sleep(0.02)
            site.server.look()
        assert not exchange.is_overdue
        peer.close()
        while not exchange.is_overdue:
            await asyncio.sleep(0.02)
            site.server.look()
        await until(lambda: not site.server.unfinished)

    runner.run(play())
    assert log.lines == [], "any client can do that"


def test_a_message_in_many_frames_comes_whole(runner: asyncio.Runner, log: Lines) -> None:
    heard = list[Any]()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        heard.append(await receive())

    async def play() -> None:
        site = Site(app, LOG)
        peer = await site.ask(**HANDSHAKE)
        await peer.until(b"\r\n\r\n")
        frames = [_frame(b"", first=1), *[_frame(b"x" * (at % 2), first=0) for at in range(20_000)]]
        await peer.send(b"".join(frames) + _frame(b"!", first=0x80))
        await until(lambda: heard)
        peer.close()
        await until(lambda: not site.server.unfinished)

    runner.run(play())
    assert heard[0]["text"] == "x" * 10_000 + "!"
    assert not log.lines


def test_connections_that_cannot_be_accepted_are_logged_and_served_later(
    runner: asyncio.Runner, log: Lines
) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await ok(send)

    async def play() -> bytes:
        site = Site(app, LOG)
        peer = await site.connect()
        await until(lambda: site.server.accepted)
        other = socket.socket(socket.AF_UNIX)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[0], other.fileno()), limits[1]))
        try:
            other.setblocking(False)
            other.connect(site.listener.getsockname())
            await until(lambda: log.lines)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        waiting = Peer(other)
        await waiting.send(encode({"REQUEST_METHOD": "GET"}))
        peer.close()
        return (await waiting.read())[0]

    assert runner.run(play()).endswith(b"ok")
    assert "no more can be accepted" in log.lines[0]


class Proxy:
    """An awaitable of an app that answers no question, as proxies of contexts do."""

    def __init__(self, waits: asyncio.Future[None]) -> None:
        self.waits = waits

    def __await__(self) -> Any:
        return Odd(self.waits)


class Odd:
    def __init__(self, waits: asyncio.Future[None]) -> None:
        self._iterator = iter(waits)

    def __iter__(self) -> Odd:
        return self

    def __next__(self) -> Any:
        return next(self._iterator)

    @property
    def cr_await(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_a_slow_request_that_waits_for_something_strange_is_told_of(runner: asyncio.Runner) -> None:
    async def look() -> list[dict[str, Any]]:
        gate = asyncio.get_running_loop().create_future()

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await Proxy(gate)
            await ok(send)

        site = Site(app, LOG)
        peer = await site.ask(REQUEST_METHOD="POST", PATH_INFO="/odd")
        await until(lambda: site.server.open and site.exchange().response)
        site.exchange().began -= 2_000_000_000
        rows = list(site.server.slow_requests())
        gate.set_result(None)
        assert (await peer.read())[0].endswith(b"ok")
        return rows

    ((row),) = runner.run(look())
    assert (row["method"], row["path"]) == ("POST", "/odd")
    assert row["stack"][-1]["name"] == "app"


@pytest.fixture
def impatient() -> Iterator[None]:
    """An app that has set a timeout for the sockets of its process."""
    socket.setdefaulttimeout(0.2)
    yield
    socket.setdefaulttimeout(None)


@pytest.mark.usefixtures("impatient")
def test_the_default_timeout_of_an_app_s_sockets_stops_no_request(runner: asyncio.Runner) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send)
        for _ in range(40):
            await part(send, b"x" * 100_000)
        await part(send, b"", False)

    async def ask() -> tuple[bytes, bool]:
        site = Site(app, LOG)
        silent = await site.connect()
        slow = await site.ask()
        begun = asyncio.get_running_loop().time()
        await asyncio.sleep(0.6)
        data, is_whole = await slow.read()
        silent.close()
        assert asyncio.get_running_loop().time() - begun < ENDLESS
        return data, is_whole

    data, is_whole = runner.run(ask())
    assert is_whole
    assert data.count(b"x") == 4_000_000


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="Python before 3.12")
def test_requests_that_end_within_their_first_step_leave_nothing(log: Lines) -> None:
    """uvloop 0.22 and asyncio's factory of Python 3.13 do not go together."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await ok(send)

    async def ask() -> int:
        asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009  typeshed
        site = Site(app, LOG)
        for _ in range(5):
            assert (await site.get())[1]
        return len(site.server.open)

    with asyncio.Runner() as runner:
        assert runner.run(ask()) == 0
    assert not log.lines


def test_each_request_has_a_task_and_a_context_of_its_own(runner: asyncio.Runner) -> None:
    """Also where a task runs until its first wait at once (Python 3.12)."""
    seen = list[tuple[asyncio.Task[Any] | None, str]]()
    word = ContextVar("word", default="")

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        seen.append((asyncio.current_task(), word.get()))
        word.set("of another request")
        async with asyncio.timeout(ENDLESS):
            if scope["path"] == "/waits":
                await asyncio.sleep(0)
        await ok(send)

    async def ask() -> None:
        site = Site(app, LOG)
        for path in ("/", "/waits", "/"):
            assert (await site.get(PATH_INFO=path))[1]
        await until(lambda: not site.server.unfinished)

    runner.run(ask())
    assert len({id(task) for task, _ in seen if task}) == 3
    assert {found for _, found in seen} == {""}


def test_the_end_accepts_what_waits_before_it_calls_the_app(runner: asyncio.Runner) -> None:
    called = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        called.append(1)
        await ok(send)

    async def ask() -> list[bytes]:
        site = Site(app, LOG)
        site.server.pause()
        peers = [await site.ask() for _ in range(3)]
        site.server.is_paused = False  # not `resume`: the loop has not looked
        site.server.stop(takes_backlog=True)
        assert (site.server.unfinished, called) == (3, [])
        return [(await peer.read())[0] for peer in peers]

    assert all(data.endswith(b"ok") for data in runner.run(ask()))


@pytest.mark.parametrize("seconds", [0, 20])
def test_what_waited_for_a_busy_loop_is_executed_unless_it_is_too_late(
    runner: asyncio.Runner, seconds: float
) -> None:
    called = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        called.append(1)
        await ok(send)

    async def ask() -> bytes:
        site = Site(app, LOG, queue=Queue(10.0))
        site.queue._since -= 60
        data, is_whole = await site.get(PORTICO_MSEC=f"{time.time() - seconds:.3f}")
        assert is_whole
        return data

    data = runner.run(ask())
    assert (data.split()[1], len(called)) == ((b"503", 0) if seconds else (b"200", 1))
