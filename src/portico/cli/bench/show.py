"""How the results of `portico bench` are shown: as a table or JSON, and as a page; and the exit code."""

from __future__ import annotations

import sys
from pathlib import Path

from msgspec import Struct

from portico.cli import output
from portico.cli.bench.report import origin
from portico.cli.bench.report.file import write
from portico.cli.bench.report.page import Report, page
from portico.cli.bench.table import lines
from portico.errors import FAILED
from portico.measure.model import Results
from portico.measure.verdict import Change, changes
from portico.project.gathered import Gathered


class Showing(Struct, frozen=True):
    html: Path | None
    is_json: bool


def shown(results: Results, how: Showing, found: Gathered | None, *, is_pair: bool = False) -> None:
    """Without `found` the server was named by its URL. Ends with 1 if something became slower."""
    differences = changes(results, "before", "after") if is_pair else []
    base = "" if is_pair or found is None else "portico"
    if how.is_json:
        output.result(output.as_json({"results": results, "changes": differences}))
    else:
        output.results(list(lines(results, base, differences)))
    if how.html:
        _write(how.html, results, base, differences, found)
    if any(one.ratio.is_sure and one.ratio.ratio > 1 for one in differences):
        sys.exit(FAILED)


def _write(
    path: Path, results: Results, base: str, differences: list[Change], found: Gathered | None
) -> None:
    mask = origin.masking(found)
    typed = origin.command(sys.argv[1:], mask)
    write(path, page(Report(results, base, differences, typed, origin.versions(found), mask)))
    output.say(f"report: {output.safe(str(path))}")
