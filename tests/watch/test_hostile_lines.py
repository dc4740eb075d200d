"""Lines that only somebody who wants to do harm writes: they fill no memory, and no reader ends by them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.log.app_output import Entry
from portico.log.follow import MOST, Follower
from portico.log.request import Request
from portico.run.processes.stderr import Lines
from portico.run.watchers.served import Served
from portico.watch.compare_releases import tally
from portico.watch.history import Log
from portico.watch.log_counts import Metrics
from tests.support import private_directory
from tests.support.process import running

DEEP = '{"zz": ' + "[" * 100_000
GOOD = {
    "time": "2026-11-29T02:00:00+00:00", "id": "1", "client": "127.0.0.1", "method": "GET", "uri": "/",
    "status": 200, "bytes_out": 1, "seconds": 0.1, "upstream": "unix:/app", "response_seconds": "0.1",
}  # fmt: skip


@pytest.fixture
def path() -> Iterator[Path]:
    with private_directory() as directory:
        yield directory / "app.log"


def test_a_line_without_end_is_not_held_and_the_next_is_read(path: Path) -> None:
    path.touch()
    follower = Follower(path)
    with path.open("ab") as log:
        for _ in range(6):
            log.write(b"x" * MOST)
            log.flush()
            assert follower.text() == b""
            assert sum(len(one._rest) for one in follower._files) <= MOST
        log.write(b"\nnext\n")
    assert list(follower.lines()) == ["next"]


def test_a_terabyte_that_is_a_hole_is_passed_over_at_once(path: Path) -> None:
    """By who follows the log, by who reads those put aside, and by who counts the lines."""
    served = Served(str(path))
    good = json.dumps(GOOD, separators=(",", ":"))
    path.write_text(f"{good}\n")
    os.truncate(path, 1 << 40)
    with path.open("ab") as log:
        log.write(f"\n{good}\n".encode())
    assert list(Follower(path, from_start=True).lines()) == [good, good]
    assert served._tell().total == 2
    path.rename(path.with_name("app.log.1"))
    assert list(Log(path).before()) == [good, good]


def test_what_a_program_writes_without_end_of_line_is_heard_in_pieces() -> None:
    heard = list[str]()

    async def go() -> None:
        read, write = os.pipe()
        lines = Lines(heard.append)
        lines.follow(os.fdopen(read, "rb"))
        for _ in range(4):
            os.write(write, b"x" * 50_000)
            lines.last()
        assert sum(map(len, heard)) + len(lines._rest) == 200_000
        assert len(lines._rest) < 1 << 16
        os.close(write)
        lines.follow(None)

    asyncio.run(go())


def test_a_program_that_never_stops_writing_is_read_with_pauses_and_its_end_is_found() -> None:
    heard, slowed = list[str](), list[None]()

    async def go() -> None:
        with running(["yes"], stdout=subprocess.PIPE) as loud:
            lines = Lines(heard.append, lambda: slowed.append(None))
            lines.follow(loud.stdout)
            began = asyncio.get_running_loop().time()
            while len(heard) < 2000:  # its start may take long
                await asyncio.sleep(0.01)
            while asyncio.get_running_loop().time() - began < 1.5:
                await asyncio.sleep(0.05)
            took = asyncio.get_running_loop().time() - began
            assert len(heard) <= 2000 + 500 * took + 4096
            before = len(heard)
            lines.last()  # it still writes: this returns
            assert len(heard) - before <= 1 << 16
            lines.follow(None)

    asyncio.run(go())
    assert len(heard) >= 2000
    assert slowed == [None]


@pytest.mark.parametrize(
    "line", [DEEP, json.dumps(GOOD | {"status": 10**30}), json.dumps(GOOD | {"seconds": 1e300})]
)
def test_a_line_that_no_decoder_takes_is_unreadable(line: str, path: Path) -> None:
    metrics, text = Metrics(), json.dumps(GOOD)
    metrics.count(f"{text}\n{line}\n{text}\n".encode())
    assert metrics.lines == 3
    assert metrics.app.sum < 1e6
    assert Request.parse(line) is None
    path.write_text(f"{line}\n{text}\n{json.dumps(GOOD | {'status': '500'})}\n")
    found = tally(path, 0.0, ["/app"]).chosen
    assert found.requests >= 1
    assert found.failed == 0
    if line == DEEP:
        assert Entry.parse(line) is None


@pytest.mark.parametrize("digits", ["9" * 400, "9" * 5_000, "-1"])
def test_a_number_that_no_worker_says_counts_as_none(digits: str) -> None:
    """It comes from a header of the app's, or of a server elsewhere."""
    worker = f"{digits} {digits} {digits} 1 home"
    line = json.dumps(GOOD | {"worker": worker})
    request = Request.parse(line)
    assert request
    assert request.numbers == (None, None, None, 1, "home")
    metrics = Metrics(["/app"])
    metrics.count(f"{line}\n{json.dumps(GOOD)}\n".encode())
    assert sum(metrics.classes) == 2
    assert metrics.app.sum == 0
