"""The flag by which clients get fair shares: how long it stays."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from portico.plan.model import Plan
from portico.run.watchers import crowd


def test_refusals_alone_keep_the_flag_for_half_a_minute(tmp_path: Path) -> None:
    said, flag, log = tmp_path / "workers/crowd", tmp_path / "app.sock.crowd", tmp_path / "access.log"
    said.parent.mkdir()
    log.write_text("")
    made = SimpleNamespace(runtime=str(tmp_path), socket=str(tmp_path / "app.sock"), access_log=str(log))
    plan = cast("Plan", made)

    def look(seconds_ago: float) -> bool:
        when = time.time() - seconds_ago
        os.utime(said, (when, when))
        crowd._look(plan)
        return flag.exists()

    crowd._look(plan)
    assert not flag.exists()
    said.touch()
    assert look(0)
    assert not look(15), "nobody was refused"
    log.write_text(_refused(time.time()))
    assert look(0)
    assert look(15)
    assert not look(40), "an office behind one address has all of an app that nobody else asks"


def _refused(when: float) -> str:
    said = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(when))
    return json.dumps({"time": said, "status": 429, "refused_by": "share"}, separators=(",", ":")) + "\n"
