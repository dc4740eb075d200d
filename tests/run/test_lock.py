"""The lock of a runtime directory, which may be another user's: nothing in it can harm a reader."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from portico.errors import PorticoError
from portico.run.disk import lock

GOOD: dict[str, Any] = {
    "pid": 4711,
    "app": "shop:app",
    "urls": ["http://a/"],
    "since": 1.5,
    "stage": "importing",
}


@pytest.mark.parametrize(
    "change", [{"pid": -1}, {"pid": 1}, {"pid": "4711"}, {"stage": 3}, {"since": "x"}, {"urls": 3}]
)
def test_a_lock_with_odd_words_names_no_process(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / lock.NAME
    path.write_text(json.dumps(GOOD | change))
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = lock.running(str(tmp_path))
        assert found is not None
        assert (found.pid, found.stage) == (0, "")
        path.write_text(json.dumps(GOOD))
        found = lock.running(str(tmp_path))
        assert found is not None
        assert (found.pid, found.urls) == (4711, ("http://a/",))


def test_a_fifo_or_a_link_in_the_place_of_the_lock_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / lock.NAME)
    assert lock.running(str(tmp_path)) is None
    (tmp_path / lock.NAME).unlink()
    (tmp_path / lock.NAME).symlink_to("elsewhere")
    assert lock.running(str(tmp_path)) is None


@pytest.mark.parametrize("left", ["", json.dumps(GOOD | {"pid": 2**31 - 1})])
def test_who_looks_for_long_on_a_busy_machine_is_no_other_portico(tmp_path: Path, left: str) -> None:
    """The file is empty, or as a Portico left it that was killed."""
    (tmp_path / lock.NAME).write_text(left)
    looking = os.open(tmp_path / lock.NAME, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(3 * lock.PATIENCE_SECONDS, os.close, (looking,)).start()
    plan: Any = SimpleNamespace(runtime=str(tmp_path), app="app:app", urls=())
    with lock.held(plan):
        found = lock.running(str(tmp_path))
    assert found is not None
    assert found.pid == os.getpid()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_nobody_s_lock_ends_no_process_of_root_s(tmp_path: Path) -> None:
    path = tmp_path / lock.NAME
    path.write_text(json.dumps(GOOD))
    os.chown(path, 65534, 65534)
    with pytest.raises(PorticoError, match="a process of another user"):
        lock.interrupt(str(tmp_path), lock.Running(os.getpid(), "shop:app", (), 0.0, "importing"))
