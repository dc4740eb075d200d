"""`portico logs -n` where no requests were logged."""

from __future__ import annotations

import json
from pathlib import Path

from portico.place.probe import site_key
from tests.support import portico

LINES = 500


def test_n_bounds_the_words_that_belong_to_no_request_too(tmp_path: Path) -> None:
    (tmp_path / "portico.toml").write_text('name = "shop"\n')
    state = tmp_path / "state" / site_key(tmp_path, "shop")
    state.mkdir(parents=True)
    (state / "access.log").touch()
    (state / "error.log").touch()
    words = (
        {
            "time": "2026-11-21T14:00:00+00:00",
            "id": "",
            "pid": 1,
            "stream": "stderr",
            "text": f"word {number}",
        }
        for number in range(LINES)
    )
    (state / "app.log").write_text("".join(f"{json.dumps(one)}\n" for one in words))
    shown = portico("logs", "-n", "2", "--no-follow", cwd=tmp_path)
    assert [line.rpartition("  ")[2] for line in shown.stdout.splitlines()] == ["word 498", "word 499"]
    assert "498 earlier lines belong to no request" in shown.stderr
    everything = portico("logs", "--no-follow", cwd=tmp_path).stdout
    assert len(everything.splitlines()) == LINES
