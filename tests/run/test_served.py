"""Counting requests in a log that grows, is rotated, and is longer than the last minute."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from portico.protocol.status import RequestCounts
from portico.run.watchers.served import Served

_NASTY = 'a"status":500,\\"status\\":5\\'


def test_counts_only_whole_lines_from_its_beginning_on(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(_line(0) * 3)
    served = Served(str(log))
    with log.open("a") as file:
        file.write(_line(0) + _line(1, status=502) + _line(1, uri=_NASTY) + _line(1)[:20])
    assert _told(served) == (3, 1)
    with log.open("a") as file:
        file.write(_line(1)[20:])
    assert _told(served) == (4, 1)


@pytest.mark.parametrize("how", ["renamed", "truncated"])
def test_a_rotated_log_goes_on(tmp_path: Path, how: str) -> None:
    log = tmp_path / "access.log"
    served = Served(str(log))
    log.write_text(_line(0) * 5)
    assert _told(served) == (5, 0)
    if how == "renamed":
        log.rename(tmp_path / "access.log.1")
        log.write_text("")
    else:
        os.truncate(log, 0)
    with log.open("a") as file:
        file.write(_line(0) * 2)
    assert _told(served) == (7, 0)


@pytest.mark.parametrize("old", [0, 1, 1000, 20_000])
@pytest.mark.parametrize("new", [0, 1, 7000])
def test_the_last_minute_is_found_in_any_log(tmp_path: Path, old: int, new: int) -> None:
    log = tmp_path / "access.log"
    log.write_text("")
    served = Served(str(log))
    log.write_text(_line(3600) * old + _line(30, status=500) * new)
    told = served._tell()
    assert (told.last_minute, told.last_minute_failed, told.total) == (new, new, old + new)


def test_the_last_minute_does_not_count_the_portico_before(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(_line(30) * 9)
    served = Served(str(log))
    assert served._tell().last_minute == 0
    with log.open("a") as file:
        file.write(_line(10) * 2)
    assert served._tell().last_minute == 2
    os.truncate(log, 0)
    with log.open("a") as file:
        file.write(_line(5))
    assert served._tell().last_minute == 1


def test_no_log_at_all(tmp_path: Path) -> None:
    assert Served(str(tmp_path / "none"))._tell() == RequestCounts()


def _told(served: Served) -> tuple[int, int]:
    told = served._tell()
    return told.total, told.failed


def _line(age: float, *, status: int = 200, uri: str = "/") -> str:
    moment = datetime.fromtimestamp(datetime.now(UTC).timestamp() - age, UTC).isoformat(timespec="seconds")
    return f'{{"time":"{moment}","uri":{json.dumps(uri)},"status":{status},"bytes_in":5}}\n'
