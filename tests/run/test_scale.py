"""So many workers as memory has room for."""

from __future__ import annotations

from pathlib import Path

from portico.place import memory
from portico.run.commands.scale import Load, impossible

LOAD = Load(workers=2, each=50 << 20, free=1000 << 20, cpus=2.0)


def test_what_does_not_fit_the_memory_is_refused_with_what_does() -> None:
    problem = impossible(100, LOAD)
    assert problem is not None
    assert "a worker has 50 MiB, 98 more need 4900 MiB, and 1000 MiB of memory are free" in problem.what
    assert problem.hint == "at most 22 fit; 2 CPUs are here"


def test_what_fits_is_not_nor_fewer_workers() -> None:
    assert impossible(22, LOAD) is None
    assert impossible(1, Load(50, 50 << 20, 0, 2.0)) is None
    assert impossible(100, Load(2, 0, 0, 2.0)) is None  # nobody could measure it


def test_free_memory_is_what_the_kernel_says(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable: 40 kB\n")
    assert memory.free(tmp_path / "meminfo") <= 40 << 10
