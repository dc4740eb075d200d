"""The findings of a check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from portico.check.codes import CODES, HARMS, Harm


class Mode(Struct, frozen=True):
    """A file or folder that `--fix` takes a right of everybody's away from."""

    path: str
    without: Literal["o-r", "o-w"]


class Setting(Struct, frozen=True):
    """A key that `--fix` adds to portico.toml; `value` is TOML."""

    key: tuple[str, ...]
    value: str


class Finding(Struct, frozen=True):
    """One checked thing. `ok` is good, `warning` works but has a cost, `fault` would fail.

    `code` identifies the check, whatever the words are; `harm` is its effect on the site, empty if it is ok.
    """

    level: Literal["ok", "warning", "fault"]
    subject: str
    what: str
    hint: str = ""
    code: str = ""
    harm: Harm | Literal[""] = ""
    fixes: tuple[Mode | Setting, ...] = ()
    """What `--fix` would do about it; nothing where that is for a person to decide."""


def ok(subject: str, what: str, code: str) -> Finding:
    return Finding("ok", subject, what, "", code)


def warning(subject: str, what: str, hint: str, code: str, fixes: Iterable[Mode | Setting] = ()) -> Finding:
    return Finding("warning", subject, what, hint, code, CODES[code].harm, tuple(fixes))


def fault(subject: str, what: str, hint: str, code: str) -> Finding:
    return Finding("fault", subject, what, hint, code, CODES[code].harm)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first: what breaks the site, holes, what loses data, what is slow, hints; at last what is well."""
    return sorted(findings, key=_rank)


def _rank(finding: Finding) -> tuple[int, bool]:
    ranks = [*HARMS, ""]
    return ranks.index(finding.harm), finding.level == "warning"
