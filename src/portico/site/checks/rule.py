"""The type of a rule, and what several rules compare with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec import Struct

from portico.site.options import Options

Broken = Iterator[tuple[str, str]]
"""What is wrong with a value, and what to do."""
Rules = dict[str, Callable[[Options], Broken]]
"""Rules by the dotted key of their option."""
LARGEST = 1 << 40
"""The largest number of bytes that nginx can count."""
LONGEST_TIMEOUT = 3600
DOMAIN = re.compile(
    r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.I | re.A
)
URL_PATH = re.compile(r"/[A-Za-z0-9._~/@:+-]*")
NAME = re.compile(r"[A-Za-z0-9_-]+")
"""The name of a cookie, header or parameter."""
_QUERY = re.compile(r"[A-Za-z0-9._~/@:+%=&-]*")


class BrokenRule(Struct, frozen=True):
    """A value that cannot be used: the dotted key, what is wrong, what to do."""

    key: str
    what: str
    hint: str


def can_be_asked(target: str) -> bool:
    """Whether it is a request path, with or without a query."""
    path, _, query = target.partition("?")
    return bool(URL_PATH.fullmatch(path) and _QUERY.fullmatch(query))
