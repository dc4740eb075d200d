"""Names of servers that the gateway looks up only when it reads its files: whether they lead elsewhere since then.

The decision is pure. Each move costs a reload of the gateway: names that change all the time are followed less often.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping

from msgspec import Struct

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10.0, 600.0
"""Between two moves: doubled with each of the last hour."""
_MEMORY_SECONDS = 3600.0

Addresses = Mapping[str, frozenset[str]]


class Names(Struct, frozen=True):
    """The addresses that the gateway has, by name, and when it was last told to look again."""

    addresses: Addresses = {}
    moves: tuple[float, ...] = ()


def look_up(names: Collection[str]) -> Addresses:
    """The addresses of each name; without those that cannot be resolved now. Blocks."""
    found = dict[str, frozenset[str]]()
    for name in names:
        try:
            answers = socket.getaddrinfo(name.strip("[]"), None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            continue
        found[name] = frozenset(str(answer[4][0]) for answer in answers)
    return found


def seen(names: Names, found: Addresses, now: float) -> tuple[Names, frozenset[str]]:
    """The state after a look-up, and the names for which the gateway is to look again now."""
    moves = tuple(moment for moment in names.moves if now - moment < _MEMORY_SECONDS)
    moved = frozenset(
        name for name, addresses in found.items() if names.addresses.get(name, addresses) != addresses
    )
    if moved and moves and now - moves[-1] < _pause(len(moves)):
        known = {name: addresses for name, addresses in found.items() if name not in moved}
        return Names({**names.addresses, **known}, moves), frozenset()
    return Names({**names.addresses, **found}, (*moves, now) if moved else moves), moved


def _pause(moves: int) -> float:
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (moves - 1))
