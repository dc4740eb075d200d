"""What an expert would say of an nginx configuration: every finding where it belongs, and none beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from portico.explain.finding import HARMS, Backend, Finding
from portico.explain.nginx.findings.all import findings
from portico.explain.nginx.findings.codes import CODES
from portico.explain.nginx.read import read
from portico.place.model import Build
from tests.explain.finding_pairs import PAIRS
from tests.support import ROOT


def found(
    folder: Path, text: str, build: Build | None = None, backends: Sequence[Backend] = ()
) -> list[Finding]:
    file = folder / "nginx.conf"
    file.write_text(text)
    return findings(read(file), build, backends)


def test_every_code_has_its_pair() -> None:
    assert PAIRS.keys() == CODES.keys()


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_fault_is_found_and_its_near_twin_is_not(tmp_path: Path, code: str) -> None:
    pair = PAIRS[code]
    here = [one for one in found(tmp_path, pair.faulty, pair.build, pair.backends) if one.code == code]
    assert here
    for one in here:
        assert one.severity == CODES[code].harm in HARMS
        assert one.line > 0
        assert one.file.endswith("nginx.conf")
        assert one.what
        assert one.harm
        assert one.fix.how
    assert code not in {one.code for one in found(tmp_path, pair.right, pair.build, pair.backends)}


def test_the_documentation_lists_every_code_by_its_harm() -> None:
    text = (ROOT / "docs/explain.md").read_text().partition("## Codes of findings")[2]
    listed = {
        (re.findall(r"^\*\*(\w+)\*\*:", text[: row.start()], re.MULTILINE)[-1], row[1], row[2])
        for row in re.finditer(r"^\| `([a-z0-9-]+)` \| (.+) \|$", text, re.MULTILINE)
    }
    assert listed == {(code.harm, name, code.finds) for name, code in CODES.items()}
