"""`--dev` sees changed sources, and is bounded in a large directory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from portico.plan.subjects import PlannedDevelopment
from portico.protocol import notices
from portico.run.disk import sources
from portico.run.supervisor.changes import Changes
from tests.support import write_files


def _look(home: Path) -> sources.Look:
    return sources.look([str(home)], [str(home / "static")], [])


def _seen(home: Path) -> list[str]:
    return sorted(str(Path(path).relative_to(home)) for path in _look(home).versions)


def test_sources_are_seen_and_what_others_wrote_is_not(tmp_path: Path) -> None:
    seen = ["a.py", "shop/b.html", "templates/mail/c.txt"]
    others = [
        ".git/d.py",
        "env/pyvenv.cfg",
        "env/e.py",
        "static/f.html",
        "shop/g.sqlite",
        "shop/__pycache__/h.py",
    ]
    write_files(tmp_path, dict.fromkeys([*seen, *others], ""))
    (tmp_path / "shop" / "back").symlink_to(tmp_path)
    assert _seen(tmp_path) == seen
    before = _look(tmp_path)
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "i.py").touch()
    assert sources.changed(before, _look(tmp_path)) == {str(tmp_path / "a.py"), str(tmp_path / "i.py")}


def test_every_entry_counts_and_the_upper_directories_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, {"a.py": "", "shop/b.py": "", **{f"data/{n}/{n}.jpg": "" for n in range(20)}})
    monkeypatch.setattr(sources, "MOST_ENTRIES", 43)
    assert not _look(tmp_path).is_whole
    monkeypatch.setattr(sources, "MOST_ENTRIES", 24)
    before = _look(tmp_path)
    assert _seen(tmp_path) == ["a.py", "shop/b.py"]
    assert not before.is_whole
    monkeypatch.setattr(sources, "MOST_ENTRIES", 44)
    whole = _look(tmp_path)
    assert whole.is_whole
    monkeypatch.setattr(sources, "MOST_ENTRIES", 3)
    assert not sources.changed(whole, _look(tmp_path)), "what is not seen may be there"


def test_it_is_said_that_not_all_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = PlannedDevelopment(directories=(str(tmp_path),), without=(), settings=())
    site = SimpleNamespace(in_force=SimpleNamespace(development=watched))
    write_files(tmp_path, {"a.py": "", "b.py": ""})
    monkeypatch.setattr(sources, "MOST_ENTRIES", 1)
    said = list[notices.Notice]()
    watching = Changes(cast("Any", site), lambda _: None, said.append).watch()

    async def rounds() -> None:
        for _ in range(2):
            await anext(watching)

    asyncio.run(rounds())
    assert said == [notices.NotAllWatched(1)]
