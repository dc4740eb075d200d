"""What the log files say since a time: those put aside first, then the current one."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from portico.log.errors.kinds import refusal
from portico.watch.history import Log

OLD, MIDDLE, NEW = (datetime(2026, 11, 29, 14, minute).astimezone() for minute in (0, 10, 20))


def line(when: datetime, client: str) -> str:
    at = when.strftime("%Y/%m/%d %H:%M:%S")
    return (
        f'{at} [error] 7#7: *1 limiting requests, excess: 1.000 by zone "rate", client: {client}, server: a\n'
    )


def logged(folder: Path) -> Path:
    log = folder / "error.log"
    aside = folder / "error.log.1"
    aside.write_text(line(OLD, "192.0.2.1") + "something else\n" + line(MIDDLE, "192.0.2.2"))
    os.utime(aside, (MIDDLE.timestamp(), MIDDLE.timestamp()))
    log.write_text(line(NEW, "192.0.2.3"))
    return log


def clients(log: Path, since: float) -> list[str]:
    return [one.client for one in Log(log, since).since(refusal)]


def test_without_a_time_every_file_counts_the_oldest_first(tmp_path: Path) -> None:
    assert clients(logged(tmp_path), 0.0) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


def test_since_a_time_what_is_older_does_not_count(tmp_path: Path) -> None:
    assert clients(logged(tmp_path), MIDDLE.timestamp()) == ["192.0.2.2", "192.0.2.3"]
    assert clients(logged(tmp_path), MIDDLE.timestamp() + 1) == ["192.0.2.3"]


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert clients(tmp_path / "error.log", 0.0) == []
