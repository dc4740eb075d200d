"""An exception of the web application firewall, as written: `/editor/* 941100 942000-942999`."""

from __future__ import annotations

import re

from msgspec import Struct

_RULE = re.compile(r"(\d{1,7})(?:-(\d{1,7}))?")
_PATH = re.compile(r"/[A-Za-z0-9._~/@:+-]*\*?")
_EXPECTED = (
    'expected a path and rules, as "/editor 941100 942000-942999", or "/api/* 920420" for a prefix; a path alone '
    "is not inspected at all"
)


class WafException(Struct, frozen=True):
    """One path, or with `is_beginning` a prefix, and the rules that are off there.

    Without rules, all are off.
    """

    path: str
    rules: tuple[str, ...] = ()
    """Numbers, and ranges of them as `942000-942999`."""
    is_beginning: bool = False


def parse(text: str) -> WafException:
    """Raises ValueError with what was expected."""
    path, *rules = text.split() or [""]
    if not _PATH.fullmatch(path):
        raise ValueError(f'"{text}" names no path; {_EXPECTED}')
    for rule in rules:
        found = _RULE.fullmatch(rule)
        if not found or int(found[2] or found[1]) < int(found[1]):
            raise ValueError(f'"{rule}" is not a rule; {_EXPECTED}')
    return WafException(path.removesuffix("*"), tuple(rules), is_beginning=path.endswith("*"))


def is_exception(text: str) -> bool:
    """Whether the text is a valid exception."""
    try:
        parse(text)
    except ValueError:
        return False
    return True
