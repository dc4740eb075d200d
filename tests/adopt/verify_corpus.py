"""`python -m tests.adopt.verify_corpus`: every configuration of the corpus beside what it became, as a table.

The differences of a case stand in its golden file, `NAME.differs.txt`; one that is not there is a failure.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct

from portico.check.adopted.compare import Judgement, Row
from portico.check.adopted.verify import Verified, verify
from portico.errors import PorticoError
from portico.project.adopt.adopt import Result, adopt
from tests.adopt.test_corpus import CORPUS, NAMES, source
from tests.adopt.test_httpd_sites import CORPUS as OF_HTTPD

_UPDATE = os.environ.get("GOLDEN") == "update"
_NOTHING = "nothing differs"
_NOT_VALID = "does not accept the original"
FILES = {name: source(name) for name in NAMES} | {
    f"httpd/{path.name}": path for path in sorted(OF_HTTPD.glob("*.conf"))
}
"""The configuration of each case, by its name."""


class Outcome(Struct, frozen=True):
    """One case: the rows of all of its sites, and what could not be compared."""

    name: str
    rows: tuple[Row, ...]
    refused: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def differs(self) -> list[str]:
        """What the golden file holds."""
        rows = [one for one in self.rows if one.judgement is Judgement.DIFFERS]
        made = [f"{one.question}: {one.before} -> {one.after}: {one.why}" for one in rows]
        return [*made, *(f"refused: {one}" for one in self.refused)] or [_NOTHING]


@click.command()
@click.option(
    "--only", default="", help="Comma-separated names of cases, such as certbot.conf or httpd/certbot.conf."
)
@click.option("--all-rows", is_flag=True, help="Print what is the same, too.")
def main(*, only: str, all_rows: bool) -> None:
    """Run every configuration of the corpus beside what it became, and compare the answers."""
    wanted = [one.strip() for one in only.split(",") if one.strip()]
    if unknown := set(wanted) - set(FILES):
        raise click.UsageError(f"unknown: {', '.join(sorted(unknown))}")
    failed, counts = list[str](), Counter[str]()
    for name in wanted or FILES:
        outcome = compared(name)
        counts.update(str(row.judgement) for row in outcome.rows)
        counts["refused"] += len(outcome.refused)
        if _UPDATE:
            golden(name).write_text("\n".join([*outcome.differs, ""]))
        faults = [*outcome.problems, *unnamed(outcome)]
        failed += [f"{name}: {one}" for one in faults]
        click.echo("\n".join(_table(outcome, faults, all_rows=all_rows)))
    click.echo(", ".join(f"{number} {what}" for what, number in counts.items() if number))
    click.echo("\n".join(failed))
    sys.exit(bool(failed))


def compared(name: str) -> Outcome:
    """The case, on loopback."""
    with contextlib.chdir(CORPUS.parent):
        try:
            result = adopt(FILES[name], system=())
        except PorticoError as error:
            return Outcome(name, (), refused=(_first(error),))
        refused = tuple(f"{one.site.name}: {one.site.refused}" for one in result.sites if one.site.refused)
        if not any(one.text for one in result.sites):
            return Outcome(name, (), refused)
        return _verified(name, result, refused)


def _verified(name: str, result: Result, refused: tuple[str, ...]) -> Outcome:
    try:
        found = verify(result)
    except PorticoError as error:
        if _NOT_VALID in str(error):
            return Outcome(name, (), (*refused, f"{result.language.name} {_NOT_VALID}"))
        return Outcome(name, (), refused, (str(error),))
    problems = tuple(f"{one.name}: {one.problem}" for one in found if one.problem)
    empty = tuple(f"{one.name}: nothing was compared" for one in found if not one.rows and not one.problem)
    return Outcome(name, tuple(_rows(found)), refused, (*problems, *empty))


def _rows(found: list[Verified]) -> Iterator[Row]:
    for one in found:
        yield from one.rows


def _first(error: PorticoError) -> str:
    """Without the path of this machine."""
    text = str(error).partition("\n")[0]
    return text.replace(f"{CORPUS}/", "").replace(f"{OF_HTTPD}/", "")


def golden(name: str) -> Path:
    """Where the differences of a case stand."""
    path = CORPUS / name if name in NAMES else FILES[name]
    return path / "differs.txt" if path.is_dir() else path.with_suffix(".differs.txt")


def unnamed(outcome: Outcome) -> list[str]:
    """Differences that the case does not name, and names of differences that there are not."""
    there = golden(outcome.name)
    named = there.read_text().splitlines() if there.exists() else []
    found = outcome.differs
    new = [f"not in {there.name}: {one}" for one in found if one not in named]
    return [*new, *(f"{there.name} names it, but it is not so: {one}" for one in named if one not in found)]


def _table(outcome: Outcome, faults: list[str], *, all_rows: bool) -> Iterator[str]:
    counts = Counter(str(row.judgement) for row in outcome.rows)
    said = ", ".join(f"{number} {what}" for what, number in counts.items()) or "not compared"
    yield f"{'FAILED' if faults else 'ok':8}{outcome.name:28}{said}"
    for row in outcome.rows:
        if all_rows or row.judgement is not Judgement.SAME:
            yield f"    {row.judgement:8}{row.question}: {row.before} -> {row.after}  {row.why}"
    yield from (f"    refused {one}" for one in outcome.refused)
    yield from (f"    {line}" for one in outcome.problems for line in one.splitlines())


if __name__ == "__main__":
    main()
