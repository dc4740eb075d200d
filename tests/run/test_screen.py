"""Whoever reads what a run shows cannot stop it, and strangers' words do not steer the terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from portico.cli.notices import sentence
from portico.log.request import Request
from portico.protocol import notices
from portico.watch import writer
from portico.watch.lines import readable, visible
from portico.watch.writer import Writer
from tests.support import environment, free_port, private_directory, walk, write_files
from tests.support.process import PIPE, Program, finish, launch
from tests.support.until import until

APP = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return 'hello'\n"
LINE = Request(
    method="GET", uri="/" + "p" * 200, status=200, seconds=0.01, bytes_out=10, client="127.0.0.1", id="1",
    time="2026-01-01T12:00:00+00:00",
)  # fmt: skip


def test_reader_that_does_not_read_blocks_nobody() -> None:
    reading, writing = os.pipe()
    out = Writer(writing)
    began = time.monotonic()
    for _ in range(writer.ROOM_BYTES // 1000 + 1000):
        out.write(b"x" * 999 + b"\n")
    out.close()
    assert time.monotonic() - began < writer.FLUSH_SECONDS + 20
    assert 0 < out.dropped <= 1000
    os.close(reading)  # ends the thread; the descriptor is the test's no more


def test_everything_is_written_at_the_end(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        out = Writer(file.fileno())
        for number in range(1000):
            out.write(f"{number}\n".encode())
        out.close()
    assert (tmp_path / "out").read_text().split() == [str(number) for number in range(1000)]
    assert (out.dropped, out.error) == (0, None)


class _Late(Writer):
    """Its thread gets no processor for a while."""

    def _write_all(self, words: bytes) -> None:
        time.sleep(0.3)
        super()._write_all(words)


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_a_busy_machine_is_no_reader_who_does_not_read(tmp_path: Path, kind: str) -> None:
    """What was said last, perhaps why it ended, was lost when the thread came a second late."""
    if kind == "file":
        reading, writing = -1, os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    else:
        reading, writing = os.pipe()
    out = _Late(writing)
    out.write(b"why it ended\n")
    assert out.close(0.05) == 0.05
    os.close(writing)
    assert (os.read(reading, 100) if kind == "pipe" else (tmp_path / "out").read_bytes()) == b"why it ended\n"


def test_full_disk_loses_lines_and_says_why() -> None:
    with Path("/dev/full").open("w") as file:
        out = Writer(file.fileno())
        out.write(b"a\n")
        out.close()
    assert out.dropped == 1
    assert out.error is not None
    assert out.error.strerror == "No space left on device"


@pytest.mark.parametrize(
    ("stdout", "told"),
    [("head", "the reader of the request lines has gone; "), ("/dev/full", "No space left"), ("fifo", "")],
)
def test_serving_goes_on_when_stdout_does_not(stdout: str, told: str) -> None:
    with private_directory() as home:
        write_files(home, {"app.py": APP})
        reading, writing = os.pipe()
        if stdout == "/dev/full":
            os.close(writing)
            writing = os.open(stdout, os.O_WRONLY)
        if stdout != "fifo":
            os.close(reading)
        port = free_port()
        process = _serve(home, port, writing)
        os.close(writing)
        try:
            until(lambda: "Ctrl-C stops" in (home / "stderr").read_text())
            assert _ask(port, 400) == 400
            if told:
                until(lambda: "the site keeps serving, see " in (home / "stderr").read_text())
            assert _ask(port, 5) == 5
        finally:
            finish(process)
            assert process.returncode == -signal.SIGTERM
            if stdout == "fifo":
                os.close(reading)
        words = (home / "stderr").read_text()
        assert words.count("the site keeps serving") == (1 if told else 0)
        assert told in words


def test_a_flood_of_requests_reaches_a_reader_who_takes_his_time() -> None:
    """More at once than is held in memory: what he has no time for waits in the file."""
    lines = b"".join(b'{"status":200,"uri":"/%06d","agent":"%s"}\n' % (n, b"x" * 250) for n in range(40_000))
    with private_directory() as home:
        write_files(home, {"app.py": APP})
        process = _serve(home, free_port(), PIPE)
        assert process.stdout is not None
        try:
            until(lambda: "Ctrl-C stops" in (home / "stderr").read_text())
            (log,) = [path for path, _ in walk(home) if path.name == "access.log"]
            with log.open("ab") as file:
                file.write(lines)
            seen = b""
            while len(seen) < len(lines):
                chunk = os.read(process.stdout.fileno(), 1 << 16)
                assert chunk
                seen += chunk
                time.sleep(0.002)
        finally:
            finish(process)
            assert process.returncode == -signal.SIGTERM
        assert seen == lines
        assert "left out" not in (home / "stderr").read_text()


def test_a_reader_who_is_too_far_behind_is_told_and_holds_up_nothing() -> None:
    lines = (b'{"status":200,"agent":"%s"}\n' % (b"x" * 1000)) * 70_000
    with private_directory() as home:
        write_files(home, {"app.py": APP, "portico.toml": '[log]\nsize = "0B"\n'})
        port = free_port()
        process = _serve(home, port, PIPE)
        assert process.stdout is not None
        try:
            until(lambda: "Ctrl-C stops" in (home / "stderr").read_text())
            (log,) = [path for path, _ in walk(home) if path.name == "access.log"]
            with log.open("ab") as file:
                file.write(lines)
            until(
                lambda: "too slow, some are left out; the site keeps serving" in (home / "stderr").read_text()
            )
            assert _ask(port, 5) == 5
        finally:
            finish(process)
            assert process.returncode == -signal.SIGTERM


def _serve(home: Path, port: int, stdout: int) -> Program:
    argv = [sys.executable, "-m", "portico", "run", "--listen", f"127.0.0.1:{port}"]
    return launch(argv, cwd=home, env=environment(home), stdout=stdout, stderr=home / "stderr")


def _ask(port: int, count: int) -> int:
    import httpx

    with httpx.Client(timeout=60) as client:
        answers = [client.get(f"http://127.0.0.1:{port}/?{'x' * 500}") for _ in range(count)]
    return sum(answer.text == "hello" for answer in answers)


def test_escape_sequences_are_spelled_out() -> None:
    assert visible("a\x1b[31m\tb\x9b\u202e") == "a\\x1b[31m    b\\x9b\\u202e"
    assert "\x1b]0;" not in sentence(notices.GatewaySaid('referrer: "\x1b]0;owned\x07"'))
    assert "apache: AH00072" in sentence(notices.GatewaySaid("AH00072", "apache"))
    hostile = msgspec.structs.replace(LINE, method="G\x1bT", uri="/\x1b", client="\x1b", time="T\x1b")
    assert "\x1b" not in readable(hostile)


def test_line_fits_the_terminal() -> None:
    assert len(readable(LINE, 100)) == 100
    assert readable(LINE, 100).endswith("pp…  127.0.0.1")
    assert LINE.uri in readable(LINE)
    assert LINE.uri[:11] in readable(LINE, 20)


BAR = """
from portico.cli.screen import Screen
screen = Screen()
screen.progress("half")
screen.say("line")
screen.close()
"""


def test_a_bar_is_below_what_is_said_and_gone_at_the_end() -> None:
    ours, theirs = os.openpty()
    subprocess.run([sys.executable, "-c", BAR], stdout=theirs, stderr=theirs, check=True, timeout=60)
    os.close(theirs)
    assert _shown(ours) == b"\r\x1b[Khalf\r\x1b[Kline\r\nhalf\r\x1b[K"


def _shown(terminal: int) -> bytes:
    """All that was written to it, which need not come at once."""
    text = b""
    with suppress(OSError):  # the end of a terminal
        while piece := os.read(terminal, 4096):
            text += piece
    os.close(terminal)
    return text


def test_there_is_no_bar_where_nobody_looks() -> None:
    done = subprocess.run([sys.executable, "-c", BAR], capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"line\n")


WAITING = """
from portico.cli.screen import Screen
from portico.cli.waiting import Waiting
screen = Screen()
waiting = Waiting(screen, "importing shop")
for seconds in (1.0, 2.0, 11.0, 12.0, 21.5):
    waiting(seconds)
waiting.over()
screen.close()
"""


def test_a_long_start_counts_in_one_line_of_the_terminal() -> None:
    ours, theirs = os.openpty()
    subprocess.run([sys.executable, "-c", WAITING], stdout=theirs, stderr=theirs, check=True, timeout=60)
    os.close(theirs)
    shown = _shown(ours).decode()
    assert re.findall(r"shop, (\d+) s", shown) == [
        "2",
        "11",
        "12",
        "22",
    ]
    assert "\n" not in shown
    assert shown.endswith("\r\x1b[K")


def test_a_long_start_is_a_line_now_and_then_in_a_file() -> None:
    done = subprocess.run([sys.executable, "-c", WAITING], capture_output=True, check=True, timeout=60)
    assert done.stderr == b"still importing shop, 11 s\nstill importing shop, 22 s\n"
