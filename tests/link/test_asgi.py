"""What the worker for ASGI apps promises, with a real Gunicorn and a real nginx: each test is one promise."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from portico.link.fence import Fence
from portico.link.uwsgi import encode
from tests.link.stage import Stage, read_all, stage, start_gunicorn
from tests.support import private_directory, until_there
from tests.support.process import finish
from tests.support.until import until

APP = '''
import asyncio, json, os, pathlib

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
        return
    name, _, rest = scope["path"].rpartition("/")[2].partition("-")
    kind = "ws_" if scope["type"] == "websocket" else "view_"
    await globals().get(kind + name, view_ready)(scope, receive, send, rest)

async def lifespan(scope, receive, send):
    await receive()
    scope["state"]["born"] = "at startup"
    await send({"type": "lifespan.startup.complete"})
    await receive()
    pathlib.Path("shut").touch()
    await send({"type": "lifespan.shutdown.complete"})

async def start(send, *headers, status=200):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})

async def part(send, body, more=True):
    await send({"type": "http.response.body", "body": body, "more_body": more})

async def view_ready(scope, receive, send, rest):
    await start(send)
    await part(send, b"ready", False)

async def view_scope(scope, receive, send, rest):
    shown = {name: value for name, value in scope.items() if name not in ("headers", "extensions")}
    shown["headers"] = {k.decode(): v.decode("latin-1") for k, v in scope["headers"]}
    shown["state"] = dict(scope["state"])
    scope["state"]["mine"] = 1
    await start(send, (b"Content-Type", b"application/json"))
    await part(send, json.dumps(shown, default=lambda raw: raw.decode("latin-1")).encode(), False)

async def view_pid(scope, receive, send, rest):
    await start(send)
    await part(send, str(os.getpid()).encode(), False)

async def view_status(scope, receive, send, rest):
    await start(send, (b"content-length", b"4"), status=int(rest))
    await part(send, b"body", False)

async def view_count(scope, receive, send, rest):
    size = pieces = 0
    while (message := await receive())["type"] == "http.request":
        size, pieces = size + len(message["body"]), pieces + 1
        if not message["more_body"]: break
    await start(send)
    await part(send, json.dumps([size, pieces, message["type"]]).encode(), False)

async def view_echo(scope, receive, send, rest):
    """Answers while it reads."""
    await start(send)
    while (message := await receive())["type"] == "http.request":
        await part(send, message["body"], message["more_body"])
        if not message["more_body"]: return

async def view_cut(scope, receive, send, rest):
    await receive()
    await start(send, *([(b"content-length", b"1000000")] if rest else []))
    await part(send, b"first " + b"x" * 1000)
    if scope["query_string"] == b"die": raise RuntimeError("cut")
    if scope["query_string"] == b"return": return
    pathlib.Path("cut.new").write_text(str(os.getpid()))
    pathlib.Path("cut.new").rename("cut.pid")
    await asyncio.Event().wait()

async def view_broken(scope, receive, send, rest):
    headers = {"line": (b"a", b"b\\\\r\\\\nc: d"), "name": (b"a b", b"c"), "text": ("a", "b")}
    headers["two"] = (b"content-length", b"1")
    if rest == "twice": await start(send)
    if rest == "unknown": await send({"type": "http.response.nothing"})
    if rest == "body": await part(send, b"x")
    if rest == "raise": raise RuntimeError("broken")
    if rest == "nothing": return
    if rest == "large": headers[rest] = (b"a", b"x" * 70000)
    await start(send, headers[rest], headers[rest])
    await part(send, b"x", False)

async def view_gone(scope, receive, send, rest):
    """Says when it learns that its client has left."""
    if rest == "stream":
        await start(send)
        await part(send, b"begun")
    if rest == "upload":
        while (await receive())["type"] == "http.request": pass
    else:
        await receive()
        open("waits", "w").close()
        await receive()
    try:
        if rest == "stream": await part(send, b"more")
    except OSError: pass
    open("gone", "w").close()
    with open("ends", "a") as ends: ends.write(".")

async def view_large(scope, receive, send, megabytes):
    await start(send)
    for _ in range(int(megabytes)):
        await part(send, bytes(1 << 20))
        sent = pathlib.Path("sent")
        sent.write_text(str(int(sent.read_text() if sent.exists() else 0) + 1))
    await part(send, b"", False)

async def view_background(scope, receive, send, rest):
    await view_ready(scope, receive, send, rest)
    while not os.path.exists("background"): await asyncio.sleep(0.01)
    message = await receive(), await receive()
    pathlib.Path("background.done").write_text(message[1]["type"])

async def view_until(scope, receive, send, name):
    open(name + ".begun", "w").close()
    while not os.path.exists(name): await asyncio.sleep(0.01)
    await view_ready(scope, receive, send, name)

async def view_stuck(scope, receive, send, rest):
    try:
        await asyncio.Event().wait()
    finally:
        open("unstuck", "w").close()

async def view_silent(scope, receive, send, rest):
    await start(send, (b"content-type", b"text/event-stream"))
    await part(send, b"data: 1\\\\n\\\\n")
    while not os.path.exists("spoken"): await asyncio.sleep(0.01)
    await part(send, b"data: 2\\\\n\\\\n", False)

async def view_path(scope, receive, send, rest):
    await start(send, (b"content-type", b"text/plain"))
    await send({"type": "http.response.pathsend", "path": os.path.abspath("file.bin" if rest != "none" else "none")})

async def ws_echo(scope, receive, send, rest):
    await receive()
    chosen = scope["subprotocols"][-1] if scope["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": chosen, "headers": [(b"x-own", b"1")]})
    while (said := await receive())["type"] == "websocket.receive":
        if said.get("text") == "close":
            await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
        elif said.get("text") == "raise":
            raise RuntimeError("broken")
        elif said.get("text") == "return":
            return
        else:
            await send({"type": "websocket.send"} | {k: said[k] for k in ("text", "bytes") if k in said})
    pathlib.Path("left.new").write_text(json.dumps([said["code"], said["reason"]]))
    pathlib.Path("left.new").rename("left")

async def ws_deaf(scope, receive, send, rest):
    """Speaks, and never listens."""
    await receive()
    await send({"type": "websocket.accept"})
    while not os.path.exists("hear"): await asyncio.sleep(0.01)
    await send({"type": "websocket.send", "text": "now"})
    pathlib.Path("heard").write_text(str(sum([len((await receive()).get("text", "")) for _ in range(100)])))

async def ws_scope(scope, receive, send, rest):
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": " ".join(sorted(scope))})
    await receive()

async def ws_refuse(scope, receive, send, rest):
    await receive()
    if rest == "answer":
        await send({"type": "websocket.http.response.start", "status": 418, "headers": [(b"x-why", b"tea")]})
        await send({"type": "websocket.http.response.body", "body": b"no coffee"})
    elif rest == "raise": raise RuntimeError("broken")
    else: await send({"type": "websocket.close"})
'''.replace("\\\\", "\\")


@pytest.fixture(scope="module")
def on() -> Iterator[Stage]:
    with stage(APP, worker="asgi", words=("--root-path", "/mounted")) as made:
        (made.directory / "file.bin").write_bytes(b"f" * 3_000_000)
        yield made


@pytest.fixture(autouse=True)
def _clean(request: pytest.FixtureRequest) -> None:
    if "on" in request.fixturenames:
        directory = request.getfixturevalue("on").directory
        for name in (
            "cut.pid",
            "waits",
            "gone",
            "sent",
            "left",
            "hear",
            "heard",
            "spoken",
            "unstuck",
            "ends",
        ):
            (directory / name).unlink(missing_ok=True)


def websocket(on: Stage, path: str, **more: Any) -> ClientConnection:
    url = f"ws://127.0.0.1:{on.port}{path}"
    made: ClientConnection = connect(
        url, open_timeout=60, ping_interval=None, proxy=None, max_size=None, **more
    )
    return made


def until_left(on: Stage, how: list[object]) -> None:
    """Wait until the app of a WebSocket has heard how that ended; one of the test before may hear it meanwhile."""
    left = on.directory / "left"
    until(
        lambda: left.exists() and json.loads(left.read_text()) == how,
        lambda: left.exists() and left.read_text(),
    )


def raw(on: Stage, request: bytes) -> bytes:
    with on.connect(request) as connection:
        return read_all(connection)


def ask_socket(on: Stage, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(on.socket_path)
        connection.sendall(data)
        return read_all(connection)


def test_a_scope_has_what_asgi_says(on: Stage) -> None:
    told = on.get("/mounted/scope?a=%20b", headers={"X-Own": "é".encode("latin-1"), "Accept": "x"}).json()
    assert (told["type"], told["method"], told["http_version"], told["scheme"]) == (
        "http",
        "GET",
        "1.1",
        "http",
    )
    assert (told["path"], told["raw_path"]) == ("/mounted/scope", "/mounted/scope")
    assert (told["root_path"], told["query_string"]) == ("/mounted", "a=%20b")
    assert told["client"][0] == "127.0.0.1"
    assert told["client"][1] > 0
    assert told["server"][1] == on.port
    assert told["headers"]["x-own"] == "é"
    assert told["headers"]["host"] == f"127.0.0.1:{on.port}"
    assert not [name for name in told["headers"] if name.startswith("x-portico")]


def test_the_scope_of_a_websocket_has_what_asgi_says_and_no_method(on: Stage) -> None:
    """Litestar answered 403: it takes a scope with a method for that of an HTTP request."""
    with websocket(on, "/scope") as channel:
        told = str(channel.recv()).split()
    assert told == [
        "asgi", "client", "extensions", "headers", "http_version", "path", "query_string", "raw_path", "root_path",
        "scheme", "server", "state", "subprotocols", "type",
    ]  # fmt: skip


def test_each_request_has_its_own_copy_of_the_state_of_the_startup(on: Stage) -> None:
    assert [on.get("/scope").json()["state"] for _ in range(2)] == [{"born": "at startup"}] * 2


def test_a_path_that_is_not_utf_8_is_served(on: Stage) -> None:
    answer = raw(on, b"GET /%ff%2Fscope HTTP/1.0\r\n\r\n")
    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (told["path"], told["raw_path"]) == ("/\ufffd/scope", "/%ff%2Fscope")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 404)])
def test_an_answer_without_a_body_sends_none(on: Stage, method: str, status: int) -> None:
    request = f"{method} /status-{status} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    head, _, body = raw(on, request).partition(b"\r\n\r\n")
    assert (body, head.split()[1]) == (b"", str(status).encode())
    assert (b"ontent-length" in head.lower()) == (status != 204 and status != 304) or status == 304


@pytest.mark.parametrize("where", ["/count", "/direct/count"])
@pytest.mark.parametrize("size", [0, 1, 2, 20_000, 500_000, 5_000_000])
def test_a_body_of_any_size_comes_whole(on: Stage, where: str, size: int) -> None:
    found, pieces, last = on.get(where, "POST", content=b"x" * size).json()
    assert (found, last) == (size, "http.request")
    assert pieces >= size >> 17


def test_an_app_answers_while_it_reads(on: Stage) -> None:
    body = os.urandom(700_001)
    packet = encode({"REQUEST_METHOD": "POST", "PATH_INFO": "/echo", "CONTENT_LENGTH": str(len(body))})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(on.socket_path)
        connection.settimeout(60)
        sender = threading.Thread(target=connection.sendall, args=(packet + body,))
        sender.start()
        answer = read_all(connection)
        sender.join()
    assert answer.partition(b"\r\n\r\n")[2] == body


def test_an_answer_without_the_body_read_is_whole(on: Stage) -> None:
    assert on.get("/ready", "POST", content=b"x" * 5_000_000).text == "ready"
    head = b"POST /direct/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5000000\r\n\r\n"
    assert raw(on, head + b"x" * 1_000_000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("length", ["", "-length"])
@pytest.mark.parametrize("how", ["die", "return", "kill"])
@pytest.mark.parametrize("body", [b"", b"x" * 300_000])
def test_a_cut_answer_never_looks_whole(on: Stage, length: str, how: str, body: bytes) -> None:
    head = f"POST /direct/cut{length}?{how} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    with on.connect(head.encode() + body) as connection:
        if how == "kill":
            mark = on.directory / "cut.pid"
            until_there(mark)
            os.kill(int(mark.read_text()), signal.SIGKILL)
        answer = read_all(connection)
    # The reset may overtake the first bytes; then nginx answers 502.
    assert b"first " in answer or how == "kill" or answer.startswith(b"HTTP/1.1 502")
    assert not answer.endswith(b"0\r\n\r\n")
    assert answer.count(b"x") < 1_000_000
    until(lambda: _answers(on), on.log)


def _answers(on: Stage) -> bool:
    return httpx.get(f"http://127.0.0.1:{on.port}/ready", timeout=60).text == "ready"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("line", "control character"), ("name", "is not a header name"), ("text", "not pairs of bytes"),
        ("two", "two Content-Length"), ("twice", "twice"), ("unknown", "http.response.nothing"),
        ("body", "before http.response.start"), ("raise", "RuntimeError: broken"), ("nothing", "returned before"),
        ("large", "bytes of headers"),
    ],
)  # fmt: skip
def test_a_broken_answer_is_500_and_the_log_says_why(on: Stage, what: str, words: str) -> None:
    answer = on.get(f"/broken-{what}")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error\n")
    until(lambda: words in on.log(), on.log)


@pytest.mark.parametrize("how", ["plain", "stream"])
def test_an_app_is_told_at_once_that_its_client_has_left(on: Stage, how: str) -> None:
    with on.connect(f"GET /direct/gone-{how} HTTP/1.1\r\nHost: a\r\n\r\n".encode()):
        until_there(on.directory / "waits")
        assert not (on.directory / "gone").exists()
    until_there(on.directory / "gone")


def test_an_upload_that_ends_early_is_a_disconnect(on: Stage) -> None:
    head = b"POST /direct/gone-upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
    with on.connect(head + b"x" * 100_000):
        assert not (on.directory / "gone").exists()
    until_there(on.directory / "gone")


def test_an_app_is_no_faster_than_its_client(on: Stage) -> None:
    with on.connect(b"GET /direct/large-64 HTTP/1.1\r\nHost: a\r\n\r\n") as connection:
        connection.recv(10)
        until_there(on.directory / "sent")
        assert _answers(on), "others are served meanwhile"
        assert int(until((on.directory / "sent").read_text)) < 60  # it is empty while it is written anew


def test_a_background_task_outlives_its_answer_and_a_receive_then_is_a_disconnect(on: Stage) -> None:
    assert on.get("/background").text == "ready"
    (on.directory / "background").touch()
    until_there(on.directory / "background.done")
    assert until((on.directory / "background.done").read_text) == "http.disconnect"


def test_a_request_past_its_deadline_is_cancelled_and_its_stack_logged(on: Stage) -> None:
    assert on.get("/hurried/stuck").status_code == 502
    until_there(on.directory / "unstuck")
    assert "is stuck: no progress for" in on.log()
    assert "in view_stuck" in on.log()


def test_a_silent_event_stream_is_kept_alive_by_comments(on: Stage) -> None:
    with on.connect(b"GET /hurried/silent HTTP/1.0\r\n\r\n") as connection:
        connection.settimeout(60)
        seen = b""
        while b"\n:\n" not in seen:
            seen += connection.recv(1000)
        (on.directory / "spoken").touch()
        seen += read_all(connection)
    assert seen.endswith(b"data: 2\n\n")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_the_app_names_is_sent_by_the_kernel(on: Stage, method: str) -> None:
    answer = on.get("/path", method)
    assert (answer.headers["content-length"], len(answer.content)) == (
        "3000000",
        3_000_000 if method == "GET" else 0,
    )
    assert on.get("/path-none").status_code == 500


def test_a_packet_may_come_in_pieces(on: Stage) -> None:
    packet = encode({"REQUEST_METHOD": "GET", "PATH_INFO": "/ready", "HTTP_X": "x" * 30_000})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(on.socket_path)
        for at in (1, 3, 10, 20_000, len(packet)):
            connection.sendall(packet[:at])
            packet = packet[at:]
            threading.Event().wait(0.05)
        assert read_all(connection).endswith(b"ready")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n", b"\0\x05\0\0\xff\xff\0\0\0", b"\0\x01\0\0a", encode({"PATH_INFO": "/"}),
        encode({"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "-1"}), encode({"": "x", "REQUEST_METHOD": "GET"}),
    ],
)  # fmt: skip
def test_what_is_no_request_gets_no_answer(on: Stage, data: bytes) -> None:
    assert ask_socket(on, data) == b""
    assert "request refused" in on.log()
    assert "Traceback" not in on.log().rpartition("request refused")[2]


@pytest.mark.parametrize("compression", ["deflate", None])
def test_a_websocket_speaks_text_and_bytes(on: Stage, compression: str | None) -> None:
    with websocket(on, "/echo", subprotocols=["a", "b"], compression=compression) as channel:
        assert channel.subprotocol == "b"
        assert channel.response is not None
        assert channel.response.headers["X-Own"] == "1"
        assert ("Sec-WebSocket-Extensions" in channel.response.headers) == bool(compression)
        for said in ("hello", b"bytes", "", "é" * 1000, os.urandom(3_000_000)):
            channel.send(said)
            assert channel.recv(60) == said
        channel.send(["in ", "several ", "frames"])
        assert channel.recv(60) == "in several frames"
        channel.ping().wait(60)
        channel.close(4000, "bye")
    until_left(on, [4000, "bye"])


@pytest.mark.parametrize(("word", "code"), [("close", 4001), ("raise", 1011), ("return", 1000)])
def test_an_app_closes_its_websocket(on: Stage, word: str, code: int) -> None:
    with websocket(on, "/echo") as channel:
        channel.send(word)
        with pytest.raises(ConnectionClosed) as closed:
            channel.recv(60)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == code


def test_a_websocket_that_is_cut_is_1006(on: Stage) -> None:
    with websocket(on, "/echo") as channel:
        channel.socket.shutdown(socket.SHUT_RDWR)
    until_left(on, [1006, ""])


def test_pings_are_answered_and_messages_wait_while_the_app_does_not_listen(on: Stage) -> None:
    with websocket(on, "/deaf") as channel:
        channel.ping().wait(60)

        def send() -> None:
            for _ in range(100):
                channel.send("x" * 10_000)

        sender = threading.Thread(target=send)
        sender.start()
        (on.directory / "hear").touch()
        assert channel.recv(60) == "now"
        sender.join(60)
        until_there(on.directory / "heard")
        assert until((on.directory / "heard").read_text) == "1000000"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x82\0\0\0\0\xff\xff", 1007), (b"\x83\x80\0\0\0\0", 1002), (b"\x81\x01x", 1002),
        (b"\x82\xff" + (17 << 20).to_bytes(8, "big") + b"\0\0\0\0", 1009),
    ],
)  # fmt: skip
def test_a_frame_that_is_not_allowed_closes_the_websocket(on: Stage, frame: bytes, code: int) -> None:
    with websocket(on, "/echo", compression=None) as channel:
        channel.socket.sendall(frame)
        with pytest.raises(ConnectionClosed) as closed:
            channel.recv(60)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == code


@pytest.mark.parametrize(
    ("how", "status", "body"),
    [("", 403, b""), ("-answer", 418, b"no coffee"), ("-raise", 500, b"Internal Server Error\n")],
)
def test_an_app_refuses_a_websocket(on: Stage, how: str, status: int, body: bytes) -> None:
    with pytest.raises(InvalidStatus) as refused:
        websocket(on, f"/refuse{how}")
    assert (refused.value.response.status_code, refused.value.response.body) == (status, body)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13", b"400"),
        ("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 8", b"426"),
        ("Sec-WebSocket-Version: 13", b"400"),
    ],
)
def test_a_handshake_that_is_not_valid_is_refused(on: Stage, lines: str, status: bytes) -> None:
    head = f"GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\n{lines}\r\n\r\n"
    with on.connect(head.encode()) as connection:
        assert connection.recv(1000).split()[1] == status


def test_other_upgrades_are_requests(on: Stage) -> None:
    head = b"GET /ready HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    with on.connect(head) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_worker_that_stops_finishes_says_goodbye_and_shuts_the_app_down() -> None:
    answers = []
    with stage(APP, worker="asgi") as on:
        slow = threading.Thread(target=lambda: answers.append(on.get("/until-open").text))
        slow.start()
        until_there(on.directory / "open.begun")
        with websocket(on, "/echo") as channel:
            channel.send("hello")
            assert channel.recv(60) == "hello"
            on.gunicorn.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosedOK, match="1001"):
                channel.recv(60)
        (on.directory / "open").touch()
        assert on.gunicorn.wait(60) == 0
        slow.join()
        assert answers == ["ready"]
        assert (on.directory / "shut").exists()
        assert json.loads((on.directory / "left").read_text())[0] == 1001


def test_an_app_that_cannot_start_says_why() -> None:
    app = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""
    with (
        pytest.raises(AssertionError, match="ASGI lifespan startup failed: no database"),
        stage(app, worker="asgi"),
    ):
        pass


def test_a_long_shutdown_of_the_app_is_not_taken_for_a_dead_worker_and_sigquit_ends_a_graceful_end() -> None:
    app = APP.replace('pathlib.Path("shut").touch()', "await asyncio.sleep(8); pathlib.Path('shut').touch()")
    with stage(app, worker="asgi", words=("--timeout", "5", "--graceful-timeout", "600")) as on:
        (first,) = on.workers()
        os.kill(first, signal.SIGTERM)
        until_there(on.directory / "shut")
        assert "WORKER TIMEOUT" not in on.log()
        until(lambda: on.workers() not in ([], [first]) and _answers(on), on.log)
        (second,) = on.workers()
        with on.connect(b"GET /until-never HTTP/1.0\r\n\r\n"):
            until_there(on.directory / "never.begun")
            os.kill(second, signal.SIGTERM)
            os.kill(second, signal.SIGQUIT)
            until(lambda: second not in on.workers(), on.log)
        until(lambda: on.workers() and _answers(on), on.log)  # a worker that still starts would miss the end


def test_a_client_sets_no_header_that_only_a_proxy_may() -> None:
    env = {"PORTICO_BELIEVED": ""}
    with stage(APP, worker="asgi", env=env) as on:
        sent = {"X-Forwarded-User": "root", "X-Portico-Trace": "0" * 32, "X-Portico-Proxy": "1", "X-Own": "1"}
        told = on.get("/scope", headers=sent).json()["headers"]
        assert sent.keys() & {"X-Own"}
        assert {name for name in told if name.startswith("x-")} == {"x-own", "x-request-id"}


def test_requests_in_progress_are_in_one_process_and_cost_no_thread(on: Stage) -> None:
    with ExitStack() as opened:
        for _ in range(200):
            connection = opened.enter_context(
                on.connect(b"GET /direct/gone-stream HTTP/1.1\r\nHost: a\r\n\r\n")
            )
            connection.settimeout(60)
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        (pid,) = on.workers()
        assert psutil.Process(pid).num_threads() < 8
    # What they leave when they end is not for the next test.
    ends = on.directory / "ends"
    until(lambda: ends.exists() and len(ends.read_text()) >= 200, on.log)


HANGS = """
import asyncio, pathlib

async def app(scope, receive, send):
    await receive()
    pathlib.Path("asked").touch()
    await asyncio.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_startup_that_never_ends_is_ended_by_a_stop(number: signal.Signals) -> None:
    with private_directory() as directory:
        (directory / "app.py").write_text(HANGS)
        gunicorn = start_gunicorn(directory, 1, 1, ("--graceful-timeout", "600"), {}, "asgi")
        try:
            until_there(directory / "asked")
            gunicorn.send_signal(number)
            gunicorn.wait(60)
        finally:
            finish(gunicorn, signal.SIGKILL)


def test_an_app_that_ends_the_process_at_its_startup_has_failed_to_load() -> None:
    app = """
import sys

async def app(scope, receive, send):
    await receive()
    sys.exit(7)
"""
    with (
        pytest.raises(AssertionError, match=r"startup failed: the app ended the process: SystemExit\(7\)"),
        stage(app, worker="asgi"),
    ):
        pass


def test_names_of_headers_that_clients_invent_take_no_memory() -> None:
    fence = Fence(frozenset())
    for number in range(5000):
        name = f"X-{number:04}-{'a' * 8000}".encode()
        fence.headers([(name, b"")], b"0")
        fence.clean({"PORTICO_MSEC": "", f"HTTP_{name.decode().upper()}": ""})
    assert sum(map(len, fence._known_bytes[b"0"])) + sum(map(len, fence._known["0"])) < 1_000_000
