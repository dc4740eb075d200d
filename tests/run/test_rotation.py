"""Log files are put aside, and never fill the disk."""

from __future__ import annotations

from pathlib import Path

from portico.run.disk.rotation import put_aside


def sizes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(directory.iterdir())}


def test_so_many_are_kept_as_were_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "error.log"
    for size in range(100, 150, 10):
        log.write_bytes(b"x" * size)
        put_aside(log, keep=3, size=100)
    assert sizes(tmp_path) == {"error.log.1": 140, "error.log.2": 130, "error.log.3": 120}


def test_a_flood_between_two_looks_does_not_fill_the_disk(tmp_path: Path) -> None:
    log = tmp_path / "error.log"
    for size in (100, 300, 250, 2000, 100):
        log.write_bytes(b"x" * size)
        put_aside(log, keep=3, size=100)
        kept = sizes(tmp_path)
        assert sum(kept.values()) <= 600 or len(kept) == 1
    assert kept == {"error.log.1": 100}
    for _ in range(3):
        log.write_bytes(b"x" * 2000)
        put_aside(log, keep=3)  # no size is asked for
    assert len(sizes(tmp_path)) == 3
