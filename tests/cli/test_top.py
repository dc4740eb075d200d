"""`portico top` beside a Portico that speaks otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from portico.cli import portico
from portico.cli.commands.look import top
from portico.errors import PorticoError


def test_a_feed_of_another_version_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    item: dict[str, Any] = {"house": {}, "second": None, "errors": [], "marks": []}
    monkeypatch.setattr(top, "one_site", lambda *_: str(tmp_path))
    monkeypatch.setattr("portico.run.control.client.lines", lambda *_, **__: iter([item]))
    with pytest.raises(PorticoError, match="another version"):
        CliRunner().invoke(portico, ["top", "--once"], catch_exceptions=False)
