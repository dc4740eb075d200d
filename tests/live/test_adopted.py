"""Hand-written configurations beside what they became: the same answers, better ones, or it is said why."""

from __future__ import annotations

from pathlib import Path

import pytest

from portico.check.adopted.compare import Judgement
from portico.check.adopted.verify import verify
from portico.project.adopt.adopt import adopt
from tests.adopt.test_corpus import source

SLASH = "a folder's path without its slash is the app's"
ONLY_FILES = "nothing takes a POST there"
CASES: dict[str, dict[str, str]] = {
    "four-headers.conf": {"GET /static": SLASH},
    "uwsgi-socket.conf": {"GET /static": SLASH},
    "certbot.conf": {},
    "two-apps.conf": {},
    "unit-gunicorn": {},
    "rewrite-redirect.conf": {},
    "auth-basic.conf": {},
    "spa-strip.conf": {
        "POST a small body": ONLY_FILES,
        "POST 2 MiB": "nothing is there, whatever the size of the body",
    },
    "spa-api.conf": {
        "POST a small body": ONLY_FILES,
        "POST 2 MiB": "nothing is there, whatever the size of the body",
    },
}
"""What differs, and why; everything else is the same or better."""


@pytest.mark.parametrize("name", CASES)
def test_an_adopted_configuration_answers_as_the_original(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    sites = verify(adopt(source(name), system=()))
    assert not any(one.problem for one in sites), sites
    assert all(len(one.rows) >= 10 for one in sites)
    found = [row for one in sites for row in one.rows]
    differs = {row.question: row.why for row in found if row.judgement is Judgement.DIFFERS}
    rows = "\n".join(f"{row.question}: {row.before} -> {row.after} {row.why}" for row in found)
    assert differs == CASES[name], rows
