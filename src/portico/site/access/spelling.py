"""Which rules hold for a path, and for which spellings of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from portico.site.access.rule import AccessRule


def holding(rules: Iterable[AccessRule], path: str) -> Iterator[AccessRule]:
    """The rules that hold for that decoded path, the inner first.

    One that is written as the path is the last: some app takes any other spelling for the path of a rule further out.
    """
    text = path.encode("utf-8", "surrogateescape")  # as nginx compares: byte by byte
    for rule in rules:
        is_exact = rule.is_all or re.match(rule.strict.encode(), text) is not None
        if is_exact or (not rule.anybody and re.match(rule.pattern.encode(), text, re.IGNORECASE)):
            yield rule
        if is_exact:
            return


def covering(outer: AccessRule, inner: AccessRule) -> bool:
    """Whether a path may be one of both rules, in some spelling. It may say so where none is."""
    if outer.is_all:
        return True
    if "<" not in outer.what + inner.what:
        return re.match(outer.pattern, inner.what, re.I | re.A) is not None
    first, second = _start(outer), _start(inner)
    return first.startswith(second) or second.startswith(first)


def _start(rule: AccessRule) -> str:
    """What every path of the rule begins with, in small letters."""
    return (rule.head if "<" in rule.what else rule.what.rstrip("/") + "/").lower()
