"""`portico check --fix`: shows the changes, asks, and applies them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from portico.check.fix.changes import Change, changes
from portico.check.model import Finding
from portico.cli import output
from portico.errors import PorticoError, Problem, UsageError
from portico.project.sites import is_several
from portico.site.model import Site


def refuse_words(
    url: str | None, apps: tuple[str, ...], *, is_json: bool, is_mended: bool, is_agreed: bool
) -> None:
    """Raises UsageError for flags that contradict each other."""
    if is_agreed and not is_mended and url is None:
        raise UsageError(Problem("--yes", "answers what --fix or --url asks", "add one of them"))
    if is_mended and is_json:
        raise UsageError(Problem("--fix", "shows differences, not JSON", "leave --json out: it has `fixes`"))
    if is_mended and (url is not None or is_several(apps)):
        raise UsageError(Problem("--fix", "mends one site of this machine at a time", "name one"))


def mend(findings: Sequence[Finding], site: Site, *, is_sure: bool) -> None:
    """Raises PorticoError for a change that failed; earlier changes stay."""
    config = Path(
        site.origin if site.origin.endswith(".toml") else f"{site.directory}/portico.toml"
    ).absolute()
    try:
        wanted = changes(findings, config)
    except (OSError, ValueError) as error:
        raise PorticoError(Problem(str(config), f"cannot be mended: {error}", "change it by hand")) from None
    if not wanted:
        output.result("nothing that could be mended without you")
        return
    output.results([output.safe(line) for change in wanted for line in change.diff])
    if is_sure or _is_wanted(len(wanted)):
        _apply(wanted)


def _is_wanted(count: int) -> bool:
    if not (sys.stdin.isatty() and output.is_terminal()):
        output.result("nothing was changed; --fix --yes does it")
        return False
    return click.confirm(f"make {'this change' if count == 1 else f'these {count} changes'}?")


def _apply(wanted: Sequence[Change]) -> None:
    problems = list[Problem]()
    for change in wanted:
        try:
            change.apply()
        except OSError as error:
            what = f"was not changed: {error.strerror or error}"
            problems.append(Problem(str(change.path), what, "change it by hand; no link is followed"))
    if len(problems) < len(wanted):
        output.result(output.good(f"{len(wanted) - len(problems)} changed"))
    if problems:
        raise PorticoError(*problems)
