"""What the worker promises, with a real Gunicorn and a real nginx: each test is one promise."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosedOK

from portico.link.uwsgi import encode
from tests.link.stage import Stage, read_all, stage, start_gunicorn
from tests.support import private_directory
from tests.support.clients import talk
from tests.support.until import until

APP = '''
import itertools, os, threading, time

counter = itertools.count(1)
ballast = []

def app(environ, start_response):
    name, _, rest = environ["PATH_INFO"].rpartition("/")[2].partition("-")
    return globals().get("view_" + name, view_ready)(environ, start_response, rest)

def text(start_response, words, **headers):
    start_response("200 OK", [("Content-Type", "text/plain"), *headers.items()])
    return [words.encode()]

def view_ready(environ, start_response, rest):
    return text(start_response, "ready")

def view_pid(environ, start_response, rest):
    return text(start_response, str(os.getpid()))

def view_wait(environ, start_response, seconds):
    time.sleep(float(seconds))
    return text(start_response, f"waited {seconds}")

def view_until(environ, start_response, name):
    open(name + ".begun", "w").close()
    while not os.path.exists(name): time.sleep(0.01)
    return text(start_response, "opened")

def view_spin(environ, start_response, seconds):
    ends = time.monotonic() + float(seconds)
    while time.monotonic() < ends: pass
    return text(start_response, "spun")

def view_stuck(environ, start_response, rest):
    threading.Event().wait()

def view_grow(environ, start_response, megabytes):
    ballast.append(b"x" * (int(megabytes) << 20))
    return text(start_response, "grown")

def view_count(environ, start_response, block):
    size = 0
    while data := environ["wsgi.input"].read(int(block or 65536)): size += len(data)
    return text(start_response, str(size))

def view_cut(environ, start_response, length):
    """Reads a little, sends a little, then waits to be killed or fails."""
    environ["wsgi.input"].read(10)
    start_response("200 OK", [("Content-Length", "1000000")] if length else [])
    yield b"first "
    yield b"x" * 1000
    if environ["QUERY_STRING"] == "die":
        raise RuntimeError("cut")
    with open("cut.new", "w") as file: file.write(str(os.getpid()))
    os.rename("cut.new", "cut")
    threading.Event().wait()

def view_ticks(environ, start_response, count):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    for number in range(int(count)):
        yield b"data: %d\\n\\n" % number
        time.sleep(0.1)

def view_hears(environ, start_response, rest):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    yield b"data: 0\\n\\n"
    while not os.path.exists("heard"): time.sleep(0.01)
    yield b"data: 1\\n\\n"
    yield b"data: 2\\n\\n"

def view_forever(environ, start_response, path):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    try:
        while True: yield b"x" * 10000
    finally:
        open("closed", "w").close()

def view_file(environ, start_response, rest):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](open(__file__, "rb"))
'''

SOCK = """
import flask, flask_sock, os
app = flask.Flask(__name__)
sock = flask_sock.Sock(app)

@app.route("/pid")
def pid(): return str(os.getpid())

@sock.route("/echo")
def echo(ws):
    while True:
        ws.send(ws.receive())

@sock.route("/once")
def once(ws):
    ws.send(ws.receive())

@sock.route("/broken")
def broken(ws):
    ws.send("hello")
    raise RuntimeError("in the middle")
"""


def raw(method: str, path: str, body: bytes = b"") -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@pytest.fixture(scope="module")
def served() -> Iterator[Stage]:
    with stage(APP) as on:
        yield on


# cut responses


@pytest.mark.parametrize("how", ["die", "kill"])
@pytest.mark.parametrize("path", ["/cut", "/cut-length", "/direct/cut"])
@pytest.mark.parametrize("size", [0, 1000, 3_000_000])
def test_a_cut_response_reaches_the_client_broken(served: Stage, how: str, path: str, size: int) -> None:
    reached = served.directory / "cut"
    reached.unlink(missing_ok=True)
    with served.connect(raw("POST" if size else "GET", f"{path}?{how}", b"x" * size)) as connection:
        if how == "kill":
            until(reached.exists, what=served.log)
            os.kill(int(reached.read_text()), signal.SIGKILL)
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    if size > 1_000_000 and head.startswith(b"HTTP/1.1 502 "):
        return  # nginx was still busy with sending the request when the app was gone, and said so
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert b"chunked" in head or b"Content-Length: 1000000" in head
    assert not body.endswith(b"0\r\n\r\n"), "the client took it for a whole response"
    until(lambda: served.get("/ready").status_code == 200)


def test_a_whole_response_leaves_no_complaint_in_nginx_s_log() -> None:
    with stage(APP) as on:
        for path in ("/ready", "/ticks-2", "/file", "/direct/ticks-2", "/mounted/ready"):
            assert on.get(path).status_code == 200
            assert on.get(path, "HEAD").status_code == 200
            assert on.get(path, "POST", content=b"x" * 2_000_000).status_code == 200
        assert "[error]" not in on.nginx_log()
        assert "[crit]" not in on.nginx_log()
        assert "rror" not in on.log()


# bodies, streams, files


@pytest.mark.parametrize("path", ["/count", "/count-1000000", "/direct/count"])
@pytest.mark.parametrize("size", [0, 10, 20_000, 700_000, 9_000_000])
def test_an_upload_arrives_whole(served: Stage, path: str, size: int) -> None:
    assert served.get(path, "POST", content=b"x" * size).text == str(size)


def test_a_chunked_upload_arrives_whole(served: Stage) -> None:
    assert served.get("/count", "POST", content=(b"x" * 1000 for _ in range(500))).text == "500000"


def test_a_large_upload_that_nobody_reads_gets_its_answer(served: Stage) -> None:
    for path in ("/ready", "/direct/ready"):
        assert served.get(path, "POST", content=b"x" * 20_000_000).text == "ready"


def test_a_gigabyte_passes_in_flat_memory() -> None:
    size, block = 1 << 30, bytes(1 << 20)
    with stage(APP) as on, socket.socket(socket.AF_UNIX) as connection:
        (worker,) = on.workers()
        before = psutil.Process(worker).memory_info().rss
        connection.connect(on.socket_path)
        variables = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/count",
            "CONTENT_LENGTH": str(size),
            "QUERY_STRING": "",
        }
        connection.sendall(encode(variables))
        for _ in range(size // len(block)):
            connection.sendall(block)
        assert read_all(connection).endswith(str(size).encode())
        assert _peak(worker) - before < 16 << 20


def _peak(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) << 10


def test_events_arrive_one_by_one(served: Stage) -> None:
    heard = served.directory / "heard"
    heard.unlink(missing_ok=True)
    with httpx.stream("GET", f"http://127.0.0.1:{served.port}/hears", timeout=60) as answer:
        lines = (line for line in answer.iter_lines() if line)
        assert next(lines) == "data: 0"  # the next are made when it was heard
        heard.touch()
        assert list(lines) == ["data: 1", "data: 2"]


def test_a_client_that_leaves_closes_the_generator(served: Stage) -> None:
    with served.connect(raw("GET", "/forever")) as connection:
        connection.recv(1000)
    until((served.directory / "closed").exists)


def test_a_file_is_served(served: Stage) -> None:
    assert served.get("/file").text == APP
    assert served.get("/file").headers["content-length"] == str(len(APP))


def test_a_mounted_app_sees_its_own_paths(served: Stage) -> None:
    assert served.get("/mounted/wait-0").text == "waited 0"


# who else comes


def test_strangers_on_the_socket_cost_a_line_each_and_no_thread() -> None:
    strangers = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x05\x00\x00A",
        b"\x01\x00\x00\x00",
        b"\x16\x03\x01\x02\x00" * 9,
    ]
    with stage(APP, threads=2) as on:
        for bytes_ in strangers:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(on.socket_path)
                connection.sendall(bytes_)
                connection.shutdown(socket.SHUT_WR)
                assert read_all(connection) == b""
        until(lambda: on.log().count("request refused: ") == len(strangers), on.log)
        silent = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        try:
            for connection in silent:
                connection.connect(on.socket_path)
            # two threads, both taken by the silent ones, until these are sent away
            assert on.ask("/ready", timeout=60).status == 200
        finally:
            for connection in silent:
                connection.close()
        assert "no complete uwsgi packet came within 10 s" in on.log()
        assert "Traceback" not in on.log()


def test_a_socket_that_is_not_unix_is_refused() -> None:
    with private_directory() as directory:
        (directory / "app.py").write_text(APP)
        gunicorn = start_gunicorn(directory, 2, 1, ("-b", "127.0.0.1:0"), {})
        assert gunicorn.wait(60) == 1
        assert "serves exactly one unix socket" in (directory / "gunicorn.log").read_text()


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [("import nothing_like_this", 3, "No module named 'nothing_like_this'"), ("", 4, "app")],
)
def test_an_app_that_does_not_load_shows_why_and_ends_it(source: str, code: int, words: str) -> None:
    with private_directory() as directory:
        (directory / "app.py").write_text(source)
        gunicorn = start_gunicorn(directory, 2, 1, (), {})
        assert gunicorn.wait(60) == code
        assert words in (directory / "gunicorn.log").read_text()


def test_limits_that_are_no_numbers_are_refused() -> None:
    with private_directory() as directory:
        (directory / "app.py").write_text(APP)
        gunicorn = start_gunicorn(directory, 2, 1, (), {"PORTICO_DEADLINE": "soon"})
        assert gunicorn.wait(60) == 1
        assert "PORTICO_DEADLINE is 'soon', expected a number" in (directory / "gunicorn.log").read_text()


# threads


def test_threads_are_there_when_requests_wait() -> None:
    with stage(APP, threads=8) as on:
        start = time.monotonic()
        assert {answer.text for answer in _at_once(on, "/wait-4", 8)} == {"waited 4"}
        assert time.monotonic() - start < 30, "one after the other takes 32 s"


def test_a_quick_request_does_not_wait_for_slow_ones(served: Stage) -> None:
    with ThreadPoolExecutor(3) as pool:
        release = served.directory / "release"
        release.unlink(missing_ok=True)
        slow = [pool.submit(served.get, "/until-release") for _ in range(3)]
        try:
            until(lambda: served.connected() == 3)
            assert served.get("/ready").text == "ready"
            assert not any(answer.done() for answer in slow)
        finally:
            release.touch()
        assert all(answer.result().status_code == 200 for answer in slow)


def _at_once(on: Stage, path: str, count: int) -> list[httpx.Response]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(on.get, [path] * count))


# WebSocket


def test_more_websockets_than_threads_leave_room_for_requests() -> None:
    with stage(SOCK, threads=2) as on:
        with ExitStack() as stack:
            talks = [stack.enter_context(talk(on.port, "/echo")) for _ in range(5)]
            for number, one in enumerate(talks):
                one.send(f"hello {number}")
            assert [one.recv(60) for one in talks] == [f"hello {number}" for number in range(5)]
            assert on.get("/pid").status_code == 200
        with talk(on.port, "/once") as one:
            one.send("x" * 100_000)
            assert one.recv(60) == "x" * 100_000
        (worker,) = on.workers()
        # two threads and the main thread are left; those of flask-sock end as well
        until(
            lambda: psutil.Process(worker).num_threads() <= 3,
            what=lambda: str(psutil.Process(worker).threads()),
        )
        assert "Traceback" not in on.log()


def test_a_websocket_is_told_when_its_worker_leaves() -> None:
    with (
        stage(SOCK, words=("--graceful-timeout", "30")) as on,
        talk(on.port, "/echo") as one,
    ):
        one.send("hello")
        assert one.recv(60) == "hello"
        on.gunicorn.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosedOK, match="1001"):
            one.recv(60)
        assert on.gunicorn.wait(60) == 0


def test_a_websocket_that_fails_is_logged_and_closed() -> None:
    with stage(SOCK) as on, talk(on.port, "/broken") as one:
        assert one.recv(60) == "hello"
        with pytest.raises(Exception, match="no close frame"):
            one.recv(60)
        until(lambda: "RuntimeError: in the middle" in on.log())


def test_an_open_websocket_does_not_keep_a_stopped_worker() -> None:
    with (
        stage(SOCK, words=("--graceful-timeout", "1")) as on,
        talk(on.port, "/echo") as one,
    ):
        one.send("hello")
        assert one.recv(60) == "hello"
        start = time.monotonic()
        assert on.stop() == 0
        assert time.monotonic() - start < 50


# the deadline


def test_a_stuck_request_is_shown_and_its_worker_replaced() -> None:
    with stage(APP, threads=4, env={"PORTICO_DEADLINE": "4"}) as on:
        (before,) = on.workers()
        with ThreadPoolExecutor(3) as pool:
            pool.submit(_lost, on, "/stuck")
            stream: Future[httpx.Response] = pool.submit(on.get, "/ticks-80")
            until(lambda: "is stuck" in on.log())
            # it is still there: the stream that gets on is finished first
            assert stream.result().text.count("data:") == 80
        until(lambda: on.workers() and before not in on.workers(), on.log)
        assert on.get("/ready").text == "ready"
        log = on.log()
        assert log.count("is stuck") == 1
        assert re.search(
            r"GET /stuck request [0-9a-f]{32} is stuck: no progress for [\d.]+ s, the limit is 4 s", log
        )
        assert "in view_stuck\n    threading.Event().wait()" in log
        assert "1 of its threads stuck past the deadline" in log
        assert f"Worker (pid:{before})" not in log, "it did not exit by itself, with 0"


def _lost(on: Stage, path: str) -> None:
    try:
        on.get(path)
    except httpx.HTTPError:
        pass


# recycling, stopping


@pytest.mark.parametrize("workers", [1, 2])
def test_recycling_by_count_loses_no_request(workers: int) -> None:
    with stage(APP, workers=workers, words=("--max-requests", "40", "--max-requests-jitter", "20")) as on:
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(on.get, ["/pid"] * 400))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) >= 4
        assert "exited with code" not in on.log()


def test_recycling_by_memory_loses_no_request() -> None:
    with stage(APP, env={"PORTICO_MAX_MEMORY": str(120 << 20)}) as on:
        before = on.get("/pid").text
        stop = threading.Event()
        statuses: list[int] = []

        def ask_on() -> None:
            while not stop.is_set():
                statuses.append(on.get("/pid").status_code)

        thread = threading.Thread(target=ask_on)
        thread.start()
        assert on.get("/grow-150").text == "grown"
        until(lambda: on.get("/pid").text != before)
        stop.set()
        thread.join()
        assert set(statuses) == {200}
        assert re.search(r"is replaced: it has grown to \d+ MiB", on.log())


def test_stopping_serves_what_runs_and_what_waits() -> None:
    with stage(APP, threads=1) as on, ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(on.ask, path) for path in ("/until-opened", *["/wait-0.3"] * 7)]
        until(lambda: on.connected() >= 8)
        on.gunicorn.send_signal(signal.SIGTERM)
        (on.directory / "opened").touch()
        assert on.gunicorn.wait(60) == 0
        assert [answer.result().body for answer in answers] == [b"opened", *[b"waited 0.3"] * 7]
        assert "SIGKILL" not in on.log()


def test_a_worker_whose_arbiter_was_killed_finishes_and_leaves() -> None:
    with stage(APP) as on, ThreadPoolExecutor(1) as pool:
        (worker,) = on.workers()
        process = psutil.Process(worker)
        answer = pool.submit(on.ask, "/until-orphaned")
        until((on.directory / "orphaned.begun").exists)
        on.gunicorn.kill()
        on.gunicorn.wait()
        (on.directory / "orphaned").touch()
        assert answer.result().body == b"opened"
        assert process.wait(60) is None
        assert not psutil.pid_exists(worker)


def test_a_reload_loses_no_request() -> None:
    with stage(APP, workers=2) as on:
        before = set(on.workers())
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(on.get, "/wait-0.01") for _ in range(300)]
            on.gunicorn.send_signal(signal.SIGHUP)
            assert {answer.result().status_code for answer in answers} == {200}
        until(lambda: not before & set(on.workers()))


def test_a_socket_may_be_inherited() -> None:
    with private_directory() as directory, socket.socket(socket.AF_UNIX) as listener:
        (directory / "app.py").write_text(APP)
        listener.bind(str(directory / "app.sock"))
        listener.listen(64)
        listener.set_inheritable(True)
        gunicorn = start_gunicorn(directory, 2, 1, ("-b", f"fd://{listener.fileno()}"), {})
        on = Stage(directory, 0, gunicorn, gunicorn)
        try:
            assert on.ask("/ready").body == b"ready"
        finally:
            assert on.stop() == 0
