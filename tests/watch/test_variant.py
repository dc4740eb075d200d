"""The private gateway of `portico what-if`."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.errors import PorticoError
from portico.watch.trace.variant import _copied


def test_files_that_find_no_room_are_one_error(tmp_path: Path) -> None:
    files, to = tmp_path / "conf", tmp_path / "private" / "conf"
    for name in ("a", "b"):
        (files / "errors" / name).mkdir(parents=True)
        (to / "errors").mkdir(parents=True, exist_ok=True)
        (
            to / "errors" / name
        ).touch()  # as little as on a full disk, the copy can be made there, also by root
    with pytest.raises(PorticoError) as raised:
        _copied(files, to)
    assert str(raised.value).startswith(
        f"{to.parent}: the gateway's files cannot be copied there: File exists"
    )
    assert "TMPDIR" in str(raised.value)
    assert str(files) not in str(raised.value)
