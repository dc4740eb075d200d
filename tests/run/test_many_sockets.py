"""A machine with tens of thousands of connections costs Portico no memory: its tables are read row by row."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from portico.run.gateway.httpd import workers
from portico.run.processes import proc
from portico.run.sockets import closing, drain
from portico.run.watchers import usage
from portico.values import Address

TCP = (
    "{:5d}: 0100007F:1F90 0100007F:C5B4 {} 00000000:00000000 03:00000A2C 00000000     0        0 {} 3 0 20\n"
)
UNIX = "ffff: 00000003 00000000 00000000 0001 {} {} {}\n"
ROWS = 40_000


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = tmp_path / "self" / "net"
    net.mkdir(parents=True)
    (net / "tcp").write_text(
        "head\n" + "".join(TCP.format(row, "01" if row % 2 else "06", row) for row in range(ROWS))
    )
    (net / "unix").write_text(
        "head\n" + "".join(UNIX.format("03", row, f"/run/app {row}") for row in range(ROWS))
    )
    (tmp_path / "7").symlink_to("self")
    monkeypatch.setattr(proc, "PROC", tmp_path)


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(
    ("look", "seen"),
    [
        (lambda: usage.connections([Address("127.0.0.1", 8080)]), ROWS // 2),
        (lambda: drain.requests(frozenset({"/run/app 7"}), "03"), 1),
        (lambda: closing._half_open([8080]), False),
        (lambda: len(workers._listening(7)), 0),
    ],
)
def test_many_sockets_of_others_take_no_memory(look: Callable[[], int], seen: int) -> None:
    assert look() == seen  # what is made once for all time
    tracemalloc.start()
    try:
        look()
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
