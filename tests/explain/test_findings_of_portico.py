"""What Portico itself writes has none of the faults that it finds in others, beyond those that are named here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from portico.errors import PorticoError
from portico.explain.finding import Finding
from portico.explain.nginx.findings.all import findings
from portico.explain.nginx.read import read
from portico.run.disk.write import write_files
from tests.plan.test_gixy import by_themselves
from tests.plan.test_golden import GOLDEN, case
from tests.support import RULE


class Harmless(NamedTuple):
    """Findings of a code at such places, and why they do no harm there."""

    code: str
    where: str
    why: str

    def holds(self, one: Finding) -> bool:
        return one.code == self.code and re.search(self.where, one.where) is not None


HARMLESS = [
    Harmless("body-unlimited", r" (/api|/short)/?$| @portico_rule_r\d+$", "another site has a limit of its own"),
    Harmless("add-header-lost", r"location = /-/errors/416\.html$", "nginx has the headers of the file already"),
    Harmless("forwarded-passed", r"server _ > location /$", "Portico's own endpoints believe no such header"),
    Harmless("raw-host", r"server _ > location /$", "Portico's own endpoints compare it with what a browser asks"),
    Harmless("raw-host", r'server "" > location = /-/copy$', "the site's server has set it"),
    Harmless("error-page-200", r"location @portico_ruled_\d+$", "the status that the rule itself names"),
    Harmless("error-log-off", r'server "" > location (/|= /-/copy)$', "failures of copies are not the site's"),
    Harmless("limit-burst", r"http > server localhost$", "the line of the case's own user"),
    Harmless("limit-burst", r"location (/|//|@\S+)$", "a crawler that may ask once a second is to have one answer"),
]  # fmt: skip


def configurations(directory: Path) -> Iterator[Path]:
    for path in sorted(GOLDEN.glob("*.txt")):
        home = directory / path.stem
        home.mkdir()
        try:
            made = case(path.read_text().partition(RULE)[0], home, None)
        except PorticoError:
            continue
        conf = home / "conf"
        conf.mkdir()
        write_files([*made.files, *by_themselves(made)], conf)
        if (conf / "nginx.conf").exists():
            yield conf / "nginx.conf"


def test_nothing_is_wrong_with_what_portico_writes(tmp_path: Path) -> None:
    read_files, used, wrong = 0, set[Harmless](), list[str]()
    for conf in configurations(tmp_path):
        read_files += 1
        for one in findings(read(conf)):
            excuse = next((known for known in HARMLESS if known.holds(one)), None)
            if excuse is None:
                wrong.append(f"{conf.parents[1].name}: {one.code} at {one.where}: {one.what}")
            else:
                used.add(excuse)
    assert wrong == []
    assert used == set(HARMLESS)
    assert read_files > 90
