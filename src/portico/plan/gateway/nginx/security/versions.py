"""The order of Debian's package versions, as dpkg defines it.

Source: https://www.debian.org/doc/debian-policy/ch-controlfields.html#version
"""

from __future__ import annotations

import re
from itertools import zip_longest

_PIECES = re.compile(r"(\D*)(\d*)")
_SERIES = re.compile(r"deb\d+|ubuntu|~[a-z]+")


def is_fixed(installed: str, fixed: str) -> bool:
    """Whether a package contains the fix of `fixed`: only versions of the same upstream and the same series
    compare.

    `1.24.0-1~bookworm` is nginx.org's and says nothing about `1.22.1-9+deb12u11`, which is Debian's.
    """
    _, upstream, revision = _parts(installed)
    _, other, other_revision = _parts(fixed)
    is_same_series = _SERIES.findall(revision) == _SERIES.findall(other_revision)
    return upstream == other and is_same_series and _key(revision) >= _key(other_revision)


def _parts(version: str) -> tuple[str, str, str]:
    epoch, has_epoch, rest = version.partition(":")
    upstream, _, revision = (rest if has_epoch else version).rpartition("-")
    return (epoch if has_epoch else "0"), upstream or revision, revision if upstream else ""


def _key(text: str) -> _Order:
    return _Order(text)


class _Order:
    """One half of a version: non-digit and digit parts in turn."""

    def __init__(self, text: str) -> None:
        self._pieces = [(signs, int(digits or 0)) for signs, digits in _PIECES.findall(text)]

    def __ge__(self, other: _Order) -> bool:
        for (signs, number), (more, least) in zip_longest(self._pieces, other._pieces, fillvalue=("", 0)):
            if signs != more:
                return _signs(signs) > _signs(more)
            if number != least:
                return number > least
        return True


def _signs(text: str) -> list[int]:
    """`~` sorts before the end, the end before letters, letters before all else."""
    return [-1 if sign == "~" else ord(sign) if sign.isalpha() else ord(sign) + 256 for sign in text] + [0]
