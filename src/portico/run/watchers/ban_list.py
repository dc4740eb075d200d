"""Clients that try paths of scanners, those that are banned, and until when. Pure: the caller knows the time."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from portico.protocol.status import Ban

WITHIN_SECONDS = 60.0
LONGEST_SECONDS = REMEMBERED_SECONDS = 86_400.0
"""The longest ban; and how long a client is remembered after one."""
MOST_BANNED, MOST_SUSPECTED, MOST_REMEMBERED = 10_000, 20_000, 20_000


class Kept(Struct, frozen=True):
    """State that survives a restart. `former` are bans that are over."""

    banned: tuple[Ban, ...] = ()
    former: tuple[Ban, ...] = ()


class _Suspect:
    """A client that tried such a path: since when, how often, and its number of other answers since."""

    def __init__(self, since: float) -> None:
        self.since, self.probes, self.answered = since, 0, 0


class BanList:
    """Every list is bounded: the oldest suspects and former bans are forgotten, and a full list bans no more
    clients.
    """

    def __init__(self, kept: Kept, longest: float = LONGEST_SECONDS) -> None:
        """`longest`: seconds of a ban at most."""
        self._longest = longest
        self.banned = {one.client: one for one in kept.banned[:MOST_BANNED]}
        self._former = {one.client: one for one in kept.former[:MOST_REMEMBERED]}
        self._suspects: dict[str, _Suspect] = {}
        self.total = 0
        """The number since the start."""
        self.version = 0
        """Counts changes that matter to the gateway, and to the next start."""

    @property
    def is_full(self) -> bool:
        return len(self.banned) >= MOST_BANNED

    @property
    def has_suspects(self) -> bool:
        return bool(self._suspects)

    def kept(self) -> Kept:
        """The state for the next start."""
        return Kept(tuple(self.banned.values()), tuple(self._former.values()))

    def probe(self, client: str, now: float, after: int, seconds: float, *, spares: bool = True) -> None:
        """The client tried a path of scanners. `after` tries in a minute ban it; `spares` exempts one that got
        more other answers than that: people share its address.
        """
        suspect = self._suspects.get(client)
        if suspect is None or now - suspect.since >= WITHIN_SECONDS:
            self._suspects.pop(client, None)
            if len(self._suspects) >= MOST_SUSPECTED:
                del self._suspects[next(iter(self._suspects))]
            suspect = self._suspects[client] = _Suspect(now)
        suspect.probes += 1
        if suspect.probes >= after and not (spares and suspect.answered > suspect.probes):
            self._ban(client, suspect.probes, now, seconds)

    def answered(self, client: str) -> None:
        """The client got another answer."""
        if suspect := self._suspects.get(client):
            suspect.answered += 1

    def expire(self, now: float) -> None:
        """End bans that are over, and forget old entries."""
        over = [one for one in self.banned.values() if one.until <= now]
        for one in over:
            del self.banned[one.client]
            self._remember(one)
            self.version += 1
        for client in [one for one, item in self._suspects.items() if now - item.since >= WITHIN_SECONDS]:
            del self._suspects[client]
        for client in [one for one, item in self._former.items() if now - item.until >= REMEMBERED_SECONDS]:
            del self._former[client]

    def lift(self, clients: Iterable[str] | None) -> tuple[str, ...]:
        """End the bans of these clients, or of all, and forget their tries; returns who was banned."""
        clients = [*self.banned, *self._former, *self._suspects] if clients is None else list(clients)
        lifted = tuple(one for one in dict.fromkeys(clients) if self.banned.pop(one, None))
        for client in clients:
            self._former.pop(client, None)
            self._suspects.pop(client, None)
        self.version += bool(clients)
        return lifted

    def _ban(self, client: str, probes: int, now: float, seconds: float) -> None:
        before = self.banned.get(client)
        if before is not None:  # requests that were in progress when it was banned
            self.banned[client] = replace(before, probes=max(before.probes, probes))
            self.version += 1
            return
        if self.is_full:
            return
        former = self._former.pop(client, None)
        times = former.times + 1 if former and now - former.until < REMEMBERED_SECONDS else 1
        length = max(seconds, min(self._longest, seconds * 2.0 ** min(times - 1, 32)))
        self.banned[client] = Ban(client, round(now, 3), round(now + length, 3), probes, times)
        self.total += 1
        self.version += 1

    def _remember(self, one: Ban) -> None:
        if len(self._former) >= MOST_REMEMBERED:
            del self._former[next(iter(self._former))]
        self._former[one.client] = one
