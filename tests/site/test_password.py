"""A password that can be guessed is refused: the right one is answered at once, so wrong ones can be tried quickly."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.site.facts import AppFacts
from portico.site.options import Options
from portico.site.options.observers import Dashboard, Metrics
from portico.site.resolve import resolve


@pytest.mark.parametrize("section", ["dashboard", "metrics"])
@pytest.mark.parametrize("text", ["", "secret\n", "\nlong enough but on line two\n"])
def test_a_short_one_is_an_error(tmp_path: Path, section: str, text: str) -> None:
    (tmp_path / "word").write_text(text)
    options = (
        Options(dashboard=Dashboard(password_file="word"))
        if section == "dashboard"
        else Options(metrics=Metrics(password_file="word"))
    )
    facts = AppFacts(app="app:app", directory=str(tmp_path), kind="wsgi")
    with pytest.raises(UsageError, match=f"(?s){section}.password_file.*can be guessed.*12 characters"):
        resolve(options, facts, tmp_path, {})
    (tmp_path / "word").write_text("long enough for all\n")
    site = resolve(options, facts, tmp_path, {})
    assert str(tmp_path / "word") in (site.password_file, site.metrics_password_file)
