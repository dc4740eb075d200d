"""Bans clients that try paths of scanners: finds them in the log, and makes the files by which they are refused.

If another user runs the app, the app cannot make such a file; other sites cannot, either. The list is kept in the
state directory and survives a restart.
"""

from __future__ import annotations

import asyncio
import heapq
import ipaddress
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from portico import atomic
from portico.errors import PorticoError, Problem
from portico.log.follow import MOST, Follower
from portico.log.request import Request
from portico.place import untrusted
from portico.plan.model import Plan
from portico.plan.paths import banned, bans, guesses, guessing
from portico.plan.subjects import PlannedBans
from portico.plan.web.refusals import GUESS, SCANNER, STATUSES
from portico.plan.web.unwanted.bans import NEVER, client_of, file_names
from portico.protocol.answers import Lifted
from portico.protocol.commands import LiftBans
from portico.protocol.status import BansStatus
from portico.run.background import in_background
from portico.run.watchers.ban_list import LONGEST_SECONDS, BanList, Kept
from portico.ticks import WELL, Rounds, tick

_LOOK_SECONDS, _SAVE_SECONDS = 0.5, 2.0
_PIECES = 8
"""The MiB of the log that one round reads."""
_MOST_BEHIND = 64 << 20
"""In bytes; of a larger log the oldest lines are skipped."""
_BY_A_PAGE = frozenset({"cross-site", "same-site", "same-origin"})
"""Values of a browser's header for a request that a page caused. Browsers send it over HTTPS only."""
_MOST_SHOWN = 20
ALL = "all"


class Kind(NamedTuple):
    """The settings: what is planned, the directories of the files and the list, and which lines count."""

    planned: Callable[[Plan], PlannedBans | None]
    directory: Callable[[str], str]
    file: Callable[[str], str]
    mark: bytes
    status: int
    spares: bool
    """Whether a client with more other answers is spared, or one behind a proxy, or sent by another page."""
    longest: float = LONGEST_SECONDS
    """Seconds of a ban at most."""


SCANNERS = Kind(
    lambda plan: plan.guards.bans, banned, bans, f'"refused_by":"{SCANNER}"'.encode(), 0, spares=True
)
GUESSERS = Kind(
    lambda plan: plan.guards.guesses, guessing, guesses, f'"refused_by":"{GUESS}"'.encode(), STATUSES[GUESS],
    spares=False, longest=600.0,
)  # fmt: skip


class _Line(msgspec.Struct):
    """The fields of a log line that count."""

    client: str = ""
    status: int = 0
    refused_by: str = ""


_decode = msgspec.json.Decoder(_Line).decode


class Bans:
    """The list of one site."""

    def __init__(
        self,
        in_force: Callable[[], Plan],
        kind: Kind = SCANNERS,
        hides_many: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`hides_many`: whether many clients may be behind an address whose requests carry headers of a proxy."""
        self._in_force, self._kind, self._hides_many = in_force, kind, hides_many
        self._one_at_a_time = asyncio.Lock()
        self._follower: Follower | None = None
        self._list = BanList(Kept(), self._kind.longest)
        self._planned: PlannedBans | None = None
        self._written: set[str] = set()
        self._placed, self._saved, self._saved_at = -1, 0, 0.0

    async def watch(self) -> Rounds:
        """One look per round; a site without bans costs nothing."""
        while True:
            if self._kind.planned(self._in_force()) or self._planned:
                async with self._one_at_a_time:
                    await in_background(self._look)
            yield WELL
            await tick(_LOOK_SECONDS)

    async def lift(self, asked: LiftBans, *others: Bans) -> AsyncGenerator[Lifted, None]:
        """End bans, for `portico limits --lift`; also those of other clients."""
        lifting = [one for one in (self, *others) if one._planned]
        if not lifting:
            raise PorticoError(Problem("--lift", "this site has no bans", 'see [guard] ban = "10m"'))
        lifted = [client for one in lifting for client in await one._lift(asked)]
        yield Lifted(tuple(dict.fromkeys(lifted)))

    async def _lift(self, asked: LiftBans) -> tuple[str, ...]:
        async with self._one_at_a_time:
            planned = self._planned
            if planned is None:
                return ()
            clients = None if asked.client == ALL else [_client(asked.client, planned)]
            lifted = self._list.lift(clients)
            await in_background(lambda: self._put_in_place(time.time(), at_once=True))
        return lifted

    def status(self) -> BansStatus | None:
        """The numbers, and the latest bans; None if bans are off."""
        planned, known = self._planned, self._list
        if planned is None:
            return None
        latest = heapq.nlargest(_MOST_SHOWN, list(known.banned.values()), key=lambda one: one.since)
        return BansStatus(len(known.banned), known.total, known.is_full, planned.is_dry_run, tuple(latest))

    def leave(self) -> None:
        """The site has stopped: the files are no longer needed, and the list stays for the next start."""
        if self._planned:
            with suppress(OSError):
                self._put_in_place(time.time(), at_once=True)
            untrusted.remove_tree(self._kind.directory(self._in_force().runtime))

    def _look(self) -> None:
        plan, now = self._in_force(), time.time()
        if self._kind.planned(plan) != self._planned:
            self._begin(plan)
        if self._planned and self._follower:
            self._read(self._follower, self._planned, now)
            self._put_in_place(now)

    def _begin(self, plan: Plan) -> None:
        """The planned bans have changed: they are new, different, or off."""
        planned = self._kind.planned(plan)
        if planned is None:
            untrusted.remove_tree(self._kind.directory(plan.runtime))
            Path(self._kind.file(plan.state)).unlink(missing_ok=True)
            self._list, self._follower, self._written = BanList(Kept(), self._kind.longest), None, set()
        else:
            if self._planned is None:
                self._list, self._follower = (
                    BanList(_kept(self._kind.file(plan.state)), self._kind.longest),
                    Follower(Path(plan.access_log)),
                )
            directory = Path(planned.directory)
            directory.mkdir(exist_ok=True)
            directory.chmod(0o755)  # The gateway's workers read it; the runtime directory admits no others
            self._written, self._placed = {one.name for one in directory.iterdir()}, -1
            self._list.lift([one for one in self._list.banned if is_spared(one, planned.never)])
        self._planned = planned

    def _read(self, follower: Follower, planned: PlannedBans, now: float) -> None:
        if (behind := follower.waiting()) > _MOST_BEHIND:
            follower.pass_over(behind - _PIECES * MOST)
        for _ in range(_PIECES):
            text = follower.text(MOST)
            if not text:
                return
            if (self._kind.spares and self._list.has_suspects) or self._kind.mark in text:
                for line in text.splitlines():
                    self._count(line, planned, now)

    def _count(self, line: bytes, planned: PlannedBans, now: float) -> None:
        if self._kind.mark in line:
            request = Request.parse(line)
            if request:
                with suppress(ValueError):
                    client = client_of(request.client, by_network=planned.by_network)
                    if self._counts(request, client) and not is_spared(client, planned.never):
                        self._list.probe(
                            client, now, planned.after, planned.seconds, spares=self._kind.spares
                        )
        elif self._kind.spares and self._list.has_suspects:
            with suppress(msgspec.DecodeError, ValueError):
                found = _decode(line)
                if found.status < 400 and not found.refused_by:
                    self._list.answered(client_of(found.client, by_network=planned.by_network))

    def _counts(self, request: Request, client: str) -> bool:
        is_try = self._kind.status in (0, request.status)  # not a client that is refused already
        if not self._kind.spares:  # anybody can send one more header; a proxy nearby stands for many people
            return is_try and not (request.forwarded and is_spared(client, NEVER))
        by_a_page = request.scheme != "http" and request.fetch_site in _BY_A_PAGE
        return is_try and not by_a_page and not (request.forwarded and self._hides_many(client))

    def _put_in_place(self, now: float, *, at_once: bool = False) -> None:
        """Write the files, and the list on disk."""
        self._list.expire(now)
        if self._list.version != self._placed:
            self._write_files()
            self._placed = self._list.version
        if self._list.version != self._saved and (at_once or now - self._saved_at >= _SAVE_SECONDS):
            atomic.write(
                Path(self._kind.file(self._in_force().state)), msgspec.json.encode(self._list.kept())
            )
            self._saved, self._saved_at = self._list.version, now

    def _write_files(self) -> None:
        planned = self._planned
        if planned is None:
            return
        wanted = {
            name for one in self._list.banned for name in file_names(one, by_network=planned.by_network)
        }
        for name in wanted - self._written:
            Path(planned.directory, name).touch(mode=0o644)
        for name in self._written - wanted:
            Path(planned.directory, name).unlink(missing_ok=True)
        self._written = wanted


def _client(text: str, planned: PlannedBans) -> str:
    try:
        network = ipaddress.ip_network(text, strict=False)
        if network.num_addresses > 1 and network.prefixlen != 64:
            raise ValueError
        return client_of(str(network.network_address), by_network=planned.by_network)
    except ValueError:
        what = f"{text!r} is not a client"
        hint = f"expected an address, an IPv6 network of 64 bits as portico limits shows it, or {ALL}"
        raise PorticoError(Problem("--lift", what, hint)) from None


@lru_cache(1 << 12)
def is_spared(client: str, never: tuple[str, ...]) -> bool:
    """Whether the client is in a network of `never`."""
    network = ipaddress.ip_network(client)
    return any(network.overlaps(one) for one in _networks(never) if one.version == network.version)


@lru_cache(8)
def _networks(texts: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _kept(file: str) -> Kept:
    try:
        return untrusted.own(file, Kept)
    except (OSError, ValueError):
        return Kept()
