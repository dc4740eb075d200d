"""Verifies clients that claim to be crawlers by DNS: finds them in the log, and makes a file for each false one.

A true crawler's address has a name in a domain of its owner, and that name has the address. No request waits for
that: a client's first requests are answered before its name is known. While the name server answers nothing, nobody is
refused. If it answers about the crawler's own domain and again not about an address, the address's zone is broken, or
made to be: the claim counts as false until it can be verified.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from portico.log.follow import MOST, Follower
from portico.log.request import Request
from portico.place import untrusted
from portico.plan.model import Plan
from portico.plan.subjects import PlannedClaims
from portico.plan.web.unwanted.bans import client_of, file_names
from portico.run.background import in_background
from portico.run.watchers.bans import is_spared
from portico.site.crawlers import name_server
from portico.ticks import WELL, Rounds, tick

_LOOK_SECONDS, _DNS_SECONDS = 1.0, 5.0
_KEPT_SECONDS, _AGAIN_SECONDS, _SOON_SECONDS = 86_400.0, 600.0, 60.0
"""How long an answer is valid; when a broken zone is asked again; when after the first failure."""
_MOST_KNOWN, _MOST_WAITING, _AT_ONCE, _MOST_NAMES, _PIECES = 20_000, 1000, 8, 10, 8
"""Limits: stored answers; waiting clients; concurrent questions; names checked per address; MiB per round."""
_AGENT = rb'"agent":"[^"\\]*(?:\\.[^"\\]*)*?'


class Claim(NamedTuple):
    """The client at this address claims to be that crawler."""

    address: str
    name: str


class _Answer(NamedTuple):
    is_forged: bool
    until: float
    fails: int = 0
    """How often in a row there was no answer."""


Ask = Callable[[str, Sequence[str], str], bool | None]
"""Whether a name server confirms the address for one of these domains; None: unknown."""
Works = Callable[[Sequence[str], str], bool]
"""Whether a name server answers questions about these domains."""


class CrawlerNames:
    """The crawlers of one site, by name."""

    def __init__(
        self,
        in_force: Callable[[], Plan],
        ask: Ask | None = None,
        works: Works | None = None,
        hides_many: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`hides_many`: whether many clients may be behind an address whose requests carry headers of a proxy."""
        self._in_force, self._ask, self._works = in_force, ask or by_dns, works or answers
        self._hides_many = hides_many
        self._planned: PlannedClaims | None = None
        self._follower: Follower | None = None
        self._names: re.Pattern[bytes] | None = None
        self._waiting: dict[Claim, None] = {}
        self._known: dict[Claim, _Answer] = {}
        self._written: set[str] = set()

    async def watch(self) -> Rounds:
        """One look per round; a site without verification costs nothing."""
        while True:
            if self._in_force().guards.claims or self._planned:
                await self.look()
            yield WELL
            await tick(_LOOK_SECONDS)

    async def look(self) -> None:
        """Read the new claims, and ask DNS about some of them."""
        await in_background(self._read)
        asked = list(self._waiting)[:_AT_ONCE]
        planned = self._planned
        if planned is None:
            return
        found = await asyncio.gather(*(in_background(partial(self._verify, one, planned)) for one in asked))
        for claim, answer in zip(asked, found, strict=True):
            self._waiting.pop(claim, None)
            if self._known.pop(claim, None) is None and len(self._known) >= _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[claim] = answer
        await in_background(self._write)

    def _verify(self, claim: Claim, planned: PlannedClaims) -> _Answer:
        domains = planned.domains.get(claim.name, ())
        is_true = self._ask(claim.address, domains, planned.server)
        if is_true is not None:
            return _Answer(not is_true, time.time() + _KEPT_SECONDS)
        before = self._known.get(claim, _Answer(is_forged=False, until=0.0))
        if before.fails and self._works(domains, planned.server):
            return _Answer(is_forged=True, until=time.time() + _AGAIN_SECONDS, fails=before.fails + 1)
        return _Answer(before.is_forged, time.time() + _SOON_SECONDS, before.fails + 1)

    def _read(self) -> None:
        plan = self._in_force()
        if plan.guards.claims != self._planned:
            self._begin(plan)
        follower, names = self._follower, self._names
        if follower is None or names is None:
            return
        if (behind := follower.waiting()) > _PIECES * MOST:
            follower.pass_over(behind - _PIECES * MOST)
        for _ in range(_PIECES):
            text = follower.text(MOST)
            if not text:
                return
            for line in text.splitlines() if names.search(text) else ():
                if names.search(line):
                    self._take(line)

    def _begin(self, plan: Plan) -> None:
        """Other crawlers are verified than before: known clients may have claimed one of them."""
        self._waiting, self._known, self._written = {}, {}, set()
        if self._planned:
            untrusted.remove_tree(self._planned.directory)
        self._planned = plan.guards.claims
        self._follower = self._names = None
        if plan.guards.claims:
            directory = Path(plan.guards.claims.directory)
            untrusted.remove_tree(directory)
            directory.mkdir(exist_ok=True)
            directory.chmod(0o755)  # The gateway's workers read it; the runtime directory admits no others
            self._follower = Follower(Path(plan.access_log))
            words = b"|".join(re.escape(name).encode() for name in plan.guards.claims.domains)
            self._names = re.compile(_AGENT + b"(?:" + words + b")", re.IGNORECASE)

    def _take(self, line: bytes) -> None:
        """The claim in a line, unless the client is an undeclared proxy, or one of many at its address."""
        request, planned = Request.parse(line), self._planned
        if request is None or planned is None:
            return
        agent = request.agent.lower()
        with suppress(ValueError):
            client = client_of(request.client, by_network=False)
            if is_spared(client, planned.never) or (request.forwarded and self._hides_many(client)):
                return
            for claim in (Claim(client, name) for name in planned.domains if name.lower() in agent):
                if len(self._waiting) < _MOST_WAITING and not self._knows(claim):
                    self._waiting[claim] = None

    def _knows(self, claim: Claim) -> bool:
        found = self._known.get(claim)
        return found is not None and found.until > time.time()

    def _write(self) -> None:
        planned, now = self._planned, time.time()
        if planned is None:
            return
        for claim in [one for one, answer in self._known.items() if _is_over(answer, now)]:
            del self._known[claim]
        forged = {claim.address for claim, answer in self._known.items() if answer.is_forged}
        true = {
            claim.address for claim, answer in self._known.items() if not (answer.is_forged or answer.fails)
        }
        by = planned.by_network
        spared = {
            client_of(address, by_network=by) for address in true
        }  # a neighbour of theirs costs them nothing
        wanted = {
            name
            for client in {client_of(address, by_network=by) for address in forged} - spared
            for name in file_names(client, by_network=by)
        }
        for name in wanted - self._written:
            Path(planned.directory, name).touch(mode=0o644)
        for name in self._written - wanted:
            Path(planned.directory, name).unlink(missing_ok=True)
        self._written = wanted


def _is_over(answer: _Answer, now: float) -> bool:
    """A broken zone stays known for a day: its clients are asked about at their next request, and refused meanwhile."""
    return answer.until + (_KEPT_SECONDS if answer.fails else 0.0) <= now


def by_dns(address: str, domains: Sequence[str], server: str) -> bool | None:
    """The address has a name in one of the domains, and that name has this address."""
    from dns import exception, resolver, reversename  # it uses memory, which few sites need

    asked = _resolver(server)
    try:
        found = asked.resolve(reversename.from_address(address), "PTR", lifetime=_DNS_SECONDS)
        names = [str(one.target).rstrip(".").lower() for one in found]
        kind = "AAAA" if ":" in address else "A"
        for name in names[:_MOST_NAMES]:
            if any(name == domain or name.endswith(f".{domain}") for domain in domains):
                with suppress(resolver.NXDOMAIN, resolver.NoAnswer):
                    forward = asked.resolve(name, kind, lifetime=_DNS_SECONDS)
                    if _has(address, (one.address for one in forward)):
                        return True
    except (resolver.NXDOMAIN, resolver.NoAnswer):
        return False
    except (exception.DNSException, OSError):
        return None
    return False


def answers(domains: Sequence[str], server: str) -> bool:
    """The name server answers about a domain of the crawler's owner: it works."""
    from dns import exception, resolver

    try:
        _resolver(server).resolve(domains[0], "NS", lifetime=_DNS_SECONDS)
    except (resolver.NXDOMAIN, resolver.NoAnswer):
        return True
    except (exception.DNSException, OSError):
        return False
    return True


def _has(address: str, found: Iterable[str]) -> bool:
    return ipaddress.ip_address(address) in map(ipaddress.ip_address, found)


@lru_cache(4)
def _resolver(server: str):  # type: ignore[no-untyped-def]
    from dns import resolver

    chosen = name_server(server)
    made = resolver.Resolver(configure=chosen is None)
    if chosen:
        made.nameservers, made.port = [chosen[0]], chosen[1]
    return made
