"""The front of a uwsgi packet, nginx's own variables, read in one match.

A site's nginx sends the same variables in the same order with nearly every request, only their values differ. A
pattern of such an order reads all of them in C, four times as fast as a loop. It may be deceived by a value that
contains something like another variable, so the lengths are compared: if each value is as long as its length says,
the packet cannot be read in any other way.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from operator import itemgetter
from typing import Final

from portico.link.uwsgi import HEADER_SIZE

Values = tuple[bytes, ...]
MOST_FRONTS: Final = 8
"""Orders that a worker remembers: the order depends on what a request has (HTTPS, a range, conditions)."""
LONGEST: Final = 4096
"""Of longer packets the loop costs less than to see that a front is another one."""
_LONGEST_NAME: Final = 31
"""The length of a longer one is a byte that may be in a value."""
_VALUE: Final = b"(..)([^\\x00-\\x1f]*+)"
"""The length, and what may be the value; others, such as those with a tab, are left to the loop. It is never tried
shorter: what follows begins with a byte that is not in it.
"""
_END: Final = b"(?=.\\x00|\\Z)"
"""The name of a header comes next, or the packet ends."""


class Front:
    """Variables of these names, in this order. `header` is what becomes of each: the name of its header, b"" for a
    variable, None for neither.
    """

    def __init__(self, names: tuple[bytes, ...], header: Callable[[bytes], bytes | None]) -> None:
        self.names = names
        parts = [re.escape(struct.pack("<H", len(name)) + name) + _VALUE for name in names]
        self._match = re.compile(b"".join(parts) + _END, re.DOTALL).match
        self._sizes = struct.Struct(f"<{len(names)}H").pack
        kinds = {name: header(name) for name in names}
        self._variables, self._variable_values = _picked(
            [name for name in names if kinds[name] == b""], names
        )
        of_headers = [name for name in names if kinds[name]]
        self._header_values = _picked(of_headers, names)[1]
        self._headers = [kinds[name] or b"" for name in of_headers]

    def read(self, data: bytes, end: int) -> tuple[int, dict[bytes, bytes], list[tuple[bytes, bytes]]] | None:
        """Where the front ends, its variables, and its headers that are not empty; None for another front."""
        found = self._match(data, HEADER_SIZE, end)
        if found is None:
            return None
        parts = found.groups()
        values = parts[1::2]
        if b"".join(parts[::2]) != self._sizes(*map(len, values)):
            return None
        headers = list(zip(self._headers, picked := self._header_values(values), strict=True))
        if b"" in picked:
            headers = [pair for pair in headers if pair[1]]
        return found.end(), dict(zip(self._variables, self._variable_values(values), strict=True)), headers


def _picked(some: list[bytes], names: tuple[bytes, ...]) -> tuple[list[bytes], Callable[[Values], Values]]:
    """`some` of the names, and what picks their values out of those of all names."""
    if len(some) < 2:  # itemgetter of one gives no tuple
        return some, lambda values: tuple(values[names.index(name)] for name in some)
    return some, itemgetter(*map(names.index, some))


def names_until(data: bytes, end: int, last: bytes) -> tuple[bytes, ...]:
    """The names of a valid packet as far as `last`; empty if it is not there, or if a name comes twice."""
    names: list[bytes] = []
    at = HEADER_SIZE
    while at < end:
        name_end = at + 2 + (data[at] | data[at + 1] << 8)
        name = data[at + 2 : name_end]
        names.append(name)
        if name == last:
            is_apt = len(set(names)) == len(names) and max(map(len, names)) <= _LONGEST_NAME
            return tuple(names) if is_apt else ()
        at = name_end + 2 + (data[name_end] | data[name_end + 1] << 8)
    return ()
