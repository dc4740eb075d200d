"""`python -m bench.bodies`: large bodies both ways and open streams, through Portico with its defaults.

Targets: a 100 MB `send_file` at 0.9 of the rate of the same file as static, the worker busy 5 ms at most; no process
more than 32 MB above its idle memory during a 1 GB upload, a 1 GB streamed download and the files; the first event of
an event stream after 0.1 s at most; and what 2 000 open event streams weigh.
"""

from __future__ import annotations

import http.client
import json
import resource
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import click
import psutil
from rich.console import Console

from bench.peers import Peer
from bench.running import Running, launched
from portico.measure.cpu import memory_bytes
from portico.measure.programs import Program, Setup, Stand, portico_role

_APP = """
import queue, time
from pathlib import Path
from flask import Flask, Response, request, send_from_directory

app = Flask(__name__)
BLOCK = b"0123456789abcdef" * 4096

@app.get("/")
def home():
    return "home"

@app.get("/send")
def send():
    return send_from_directory(app.instance_path, "large.bin")

@app.post("/upload")
def upload():
    size = 0
    while block := request.stream.read(1 << 16):
        size += len(block)
    return str(size)

@app.get("/stream/<int:blocks>")
def stream(blocks):
    return Response((BLOCK for _ in range(blocks)), mimetype="application/octet-stream")

@app.get("/events")
def events():
    def made():
        for _ in range(50):
            yield f"data: {time.time()}\\n\\n"
            time.sleep(0.02)
    return Response(made(), mimetype="text/event-stream")

@app.get("/hold")
def hold():
    def made():
        yield "data: here\\n\\n"
        queue.Queue().get(timeout=300)
    return Response(made(), mimetype="text/event-stream")
"""
_TOML = 'max_upload = "2GiB"\n'
_READY_SECONDS = 30
_BUSY_MS, _RATIO, _ABOVE_BYTES, _FIRST_SECONDS = 5.0, 0.9, 32 << 20, 0.1
_MB = 1 << 20


def _portico(stand: Stand) -> Setup:
    private = [f"PORTICO_RUNTIME_DIR={stand.directory}/run", f"PORTICO_STATE_DIR={stand.directory}/state"]
    argv = [sys.executable, "-m", "portico", "run", "bodies.py", "--listen", f"127.0.0.1:{stand.port}"]
    for folder in ("static", "instance"):
        (stand.directory / folder).mkdir()
        with (stand.directory / folder / "large.bin").open("wb") as file:
            for _ in range(100):
                file.write(b"0123456789abcdef" * (1 << 16))
    program = Program("control", ["env", *private, *argv], portico_role)
    return Setup([program], {"bodies.py": _APP, "portico.toml": _TOML})


@click.command()
@click.option(
    "--rounds", type=click.IntRange(1), default=20, show_default=True, help="Downloads of each kind."
)
@click.option("--megabytes", type=click.IntRange(1), default=1024, show_default=True, help="Up and down.")
@click.option("--streams", type=click.IntRange(1), default=2000, show_default=True)
def main(rounds: int, megabytes: int, streams: int) -> None:
    """Measure downloads, uploads and streams."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    verdict = Verdict(Console())
    with launched(Peer("portico", "Portico", "defaults", (), _portico)) as house:
        directory = _wait(house)
        _downloads(house, directory, verdict, rounds)
        _large(house, verdict, megabytes)
        _first_event(house, verdict)
        _many(house, verdict, streams)


class Verdict:
    """Figures beside what is wanted."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, words: str, is_met: bool | None = None) -> None:
        mark = {None: "", True: "  [bold green]pass[/]", False: "  [bold red]FAIL[/]"}[is_met]
        self._console.print(words + mark, soft_wrap=True, highlight=False)


class Memory:
    """The most that any process of the tree grew by, since this was made."""

    def __init__(self, house: Running) -> None:
        self._idle = {process: _rss(process) for process, _ in house.tree()}
        self._grown = dict.fromkeys(self._idle, 0)

    @contextmanager
    def watched(self) -> Iterator[None]:
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=(done,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def worst(self) -> int:
        return max(self._grown.values())

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(0.02):
            for process, idle in self._idle.items():
                self._grown[process] = max(self._grown[process], _rss(process) - idle)


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _wait(house: Running) -> Path:
    """Until the site answers; its directory."""
    give_up = time.monotonic() + _READY_SECONDS
    while time.monotonic() < give_up:
        try:
            if _ask(house.port, "/")[0] == 200:
                return Path(house.tree()[0][0].cwd())
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.05)
    raise click.ClickException(f"no answer: {house.dead()} {house.last_words()}")


def _ask(port: int, path: str, method: str = "GET", body: object = None) -> tuple[int, int]:
    """Status and length of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        headers = {"Content-Length": str(Path(body.name).stat().st_size)} if hasattr(body, "name") else {}
        connection.request(method, path, body=body, headers=headers)  # type: ignore[arg-type]
        answer, length = connection.getresponse(), 0
        while block := answer.read(1 << 20):
            length += len(block)
        return answer.status, length
    finally:
        connection.close()


def _downloads(house: Running, directory: Path, verdict: Verdict, rounds: int) -> None:
    rates: dict[str, list[float]] = {"/static/large.bin": [], "/send": []}
    memory = Memory(house)
    with memory.watched():
        for number in range(rounds):
            for path in list(rates) if number % 2 == 0 else list(reversed(rates)):
                rates[path].append(1 / _seconds(house.port, path))
    static, sent = (median(each) for each in rates.values())
    ratio = sent / static
    verdict.say(f"100 MB: send_file {sent:.1f}/s, static {static:.1f}/s: {ratio:.2f} of it", ratio >= _RATIO)
    time.sleep(0.5)
    log = next((directory / "state").glob("*/access.log")).read_text().splitlines()
    lines = [json.loads(line) for line in log]
    busy = sorted(
        int(one["worker"].split()[1]) / 1000 for one in lines if one["uri"] == "/send" and one["worker"]
    )
    middle, late = median(busy), busy[int(len(busy) * 0.99)]
    verdict.say(f"worker busy {middle:.2f} ms a download, 99 of 100 below {late:.2f} ms", middle <= _BUSY_MS)
    verdict.say(
        f"memory meanwhile: at most {memory.worst() / _MB:.1f} MB above idle", memory.worst() <= _ABOVE_BYTES
    )


def _seconds(port: int, path: str) -> float:
    """What a download takes; the client throws the bytes away."""
    buffer, length, began = bytearray(1 << 20), 0, time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        while more := connection.recv_into(buffer):
            length += more
    if length < 100 * _MB:
        raise click.ClickException(f"{path}: only {length} bytes")
    return time.monotonic() - began


def _large(house: Running, verdict: Verdict, megabytes: int) -> None:
    with tempfile.NamedTemporaryFile(prefix="bench-") as file:
        for _ in range(megabytes):
            file.write(b"0123456789abcdef" * (1 << 16))
        file.seek(0)
        _transfer(house, verdict, f"{megabytes} MB upload", lambda: _ask(house.port, "/upload", "POST", file))
    blocks = megabytes * 16
    _transfer(
        house,
        verdict,
        f"{megabytes} MB streamed",
        lambda: _ask(house.port, f"/stream/{blocks}"),
        megabytes << 20,
    )
    _transfer(house, verdict, "64 MB streamed to a slow client", lambda: _slow(house.port, 16 * 64), 64 << 20)


def _transfer(
    house: Running, verdict: Verdict, title: str, go: Callable[[], tuple[int, int]], wanted: int = 0
) -> None:
    memory, began = Memory(house), time.monotonic()
    with memory.watched():
        status, length = go()
    seconds, worst = time.monotonic() - began, memory.worst()
    if status != 200 or (wanted and length != wanted):
        raise click.ClickException(f"{title}: status {status}, {length} bytes")
    verdict.say(f"{title}: {seconds:.1f} s, at most {worst / _MB:.1f} MB above idle", worst <= _ABOVE_BYTES)


def _slow(port: int, blocks: int) -> tuple[int, int]:
    """As _ask, 20 MB a second."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET /stream/{blocks} HTTP/1.0\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(1 << 16)
        length = len(received.partition(b"\r\n\r\n")[2])
        while more := connection.recv(1 << 18):
            length += len(more)
            time.sleep(len(more) / (20 * _MB))
        return int(received.split()[1]), length


def _first_event(house: Running, verdict: Verdict) -> None:
    late = []
    for _ in range(20):
        with _stream(house.port, "/events") as connection:
            yielded = float(_event(connection))
            late.append(time.time() - yielded)
    verdict.say(
        f"first event {median(late) * 1000:.1f} ms after it was yielded, at most {max(late) * 1000:.1f} ms",
        max(late) <= _FIRST_SECONDS,
    )


def _many(house: Running, verdict: Verdict, count: int) -> None:
    before, threads = sum(memory_bytes(house.tree()).values()), _threads(house)
    with ExitStack() as stack:
        began = time.monotonic()
        for number in range(count):  # one client may hold an eighth of what nginx can
            _event(stack.enter_context(_stream(house.port, "/hold", 1 + number % 100)))
        seconds = time.monotonic() - began
        time.sleep(2)
        grown = sum(memory_bytes(house.tree()).values()) - before
        began = time.monotonic()
        status, _ = _ask(house.port, "/")
        other = time.monotonic() - began
        verdict.say(
            f"{count} event streams open after {seconds:.1f} s: {grown / _MB:.0f} MB more, "
            f"{grown / count / 1024:.0f} kB a stream; {_threads(house) - threads} threads more; "
            f"another page meanwhile: {other * 1000:.1f} ms",
            status == 200,
        )


def _threads(house: Running) -> int:
    return sum(process.num_threads() for process, role in house.tree() if role == "app")


@contextmanager
def _stream(port: int, path: str, client: int = 1) -> Iterator[socket.socket]:
    with socket.create_connection(
        ("127.0.0.1", port), 60, source_address=(f"127.0.0.{client}", 0)
    ) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        yield connection


def _event(connection: socket.socket) -> str:
    """The data of the first event that comes."""
    received = b""
    while b"\n\n" not in received.partition(b"data: ")[2]:
        more = connection.recv(4096)
        if not more:
            raise click.ClickException(f"a stream ended: {received[:200]!r}")
        received += more
    return received.partition(b"data: ")[2].partition(b"\n")[0].decode()


if __name__ == "__main__":
    main()
