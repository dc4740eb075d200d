"""A choice by path as a map: patterns are tried in their order, so the more specific rule comes first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from portico.plan.gateway.nginx.names import variable
from portico.plan.gateway.nginx.syntax import Directive, entries
from portico.plan.web.access import ByPath
from portico.plan.web.model import Web

T = TypeVar("T")


def by_path(
    web: Web,
    word: str,
    choice: ByPath[T],
    names: Mapping[T, str],
    why: str,
    *,
    nothing: str = "",
    below: str = "",
) -> Directive:
    """The variable that has the name of the value that holds for the path; `nothing` where none does.

    A path below `below`, where nginx looks once more for what it did not find, is the same without it.
    """
    rest = names[choice.rest] if choice.rest is not None else nothing
    rows = [
        (
            f"~{'*' if row.ignores_case else ''}{_also(below, row.pattern)}",
            nothing if row.value is None else names[row.value],
        )
        for row in choice.rows
    ]
    table = [("default", rest), *rows]
    return entries("map", "$uri", variable(web, word), table=table, why=f"{why}: the inner first")


def _also(below: str, pattern: str) -> str:
    return f"^(?:{below})?{pattern.removeprefix('^')}" if below else pattern
