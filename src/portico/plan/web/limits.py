"""Limits for each client. A request over a limit is refused with 429 before the app sees it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from portico.app_servers.kind import Feature
from portico.errors import Problem
from portico.place.model import Place
from portico.plan.app_servers.chosen import common_features, has_queue
from portico.plan.app_servers.workers import capacity
from portico.plan.paths import Paths
from portico.plan.web.sizes import requests, share, uploads
from portico.plan.web.unwanted.crawlers import limited
from portico.site.limit import OFF, Limit
from portico.site.model import Routed, Site
from portico.site.proxies import SHARED, ranges
from portico.values import bandwidth

SESSIONS_AN_ADDRESS = 10
"""Sessions, or values of a header, that one client address may have: forged ones gain no more than this."""
_CLIENTS_A_REQUEST = 16
"""Remembered clients for each possible concurrent request."""
_MOST_REMEMBERED = 1 << 17
_SHARE_OF_MEMORY, _BYTES_A_CLIENT = 64, 256
"""The most memory of each limit; the memory of a client."""
_LEAST_FAIR = 6
"""Connections that browsers open to a site over HTTP/1.1."""
CERTIFICATE = "the client certificate"
"""The source of the account if no header names it."""


class Share(Struct, frozen=True):
    """Requests that one client may have in progress."""

    most: int
    cause: str


class Whom(Struct, frozen=True):
    """The key of a limit. A request without a session, a header or an account counts for its client."""

    per: str
    """client, session, header, account, or crawler: a network from which a crawler of some names comes."""
    name: str = ""
    """The cookie, the header, CERTIFICATE, or the kind of crawlers."""
    methods: tuple[str, ...] = ()
    """Only these methods count; none: all."""
    names: tuple[str, ...] = ()
    """The names of crawlers, somewhere in a User-Agent."""


class Rate(Struct, frozen=True):
    """The rate of requests; `burst` more than the first pass at once."""

    zone: str
    requests: int
    seconds: int
    burst: int
    whom: Whom
    text: str
    """As the user wrote it."""
    of: str
    """The rule of the route, or "the site"."""
    cause: str
    is_ceiling: bool = False
    """It only stops clients that forge sessions from getting a fresh count each time."""

    @property
    def wait_seconds(self) -> int:
        """The seconds until the next request passes."""
        return math.ceil(self.seconds / self.requests)


class Concurrent(Struct, frozen=True):
    """Requests to the app in progress."""

    zone: str
    most: int
    whom: Whom
    text: str
    of: str
    cause: str
    is_ceiling: bool = False


Counted = Rate | Concurrent


class Fair(Struct, frozen=True):
    """Requests to the app that one client may have in progress in an overload, while others wait."""

    most: int
    flag: str
    """The file that exists during an overload. Only requests since then count."""
    cause: str


class Limits(Struct, frozen=True):
    """The limits for each client of the site.

    A client is an IPv4 address or an IPv6 network of 64 bits. `uncounted` are the networks of declared proxies,
    which stand for many clients.
    """

    held: Share
    """Requests of any kind in progress: also files, error pages, slow downloads and event streams."""
    bodies: Share
    """Those of them that send a body, which may wait on disk."""
    uncounted: tuple[str, ...]
    uncounted_cause: str
    of_site: tuple[Counted, ...] = ()
    """The limits of [limits], for every request to the app."""
    of_routes: Mapping[str, tuple[Counted, ...]] = field(default_factory=dict)
    """By the pattern of a route with its own limits: all limits that apply there, with those of the site."""
    remembered: int = 0
    """Clients that each of them remembers; the least recently seen are forgotten first."""
    exempt: tuple[str, ...] = ()
    """Networks without these limits."""
    exempt_cause: str = ""
    bandwidth: int = 0
    """Bytes a second of each answer; 0: unlimited."""
    bandwidth_cause: str = ""
    fair: Fair | None = None
    """None if nothing detects an overload."""
    is_dry_run: bool = False
    """Requests over the limits of [limits] and of routes are only logged."""
    dry_run_cause: str = ""

    @property
    def counted(self) -> tuple[Counted, ...]:
        """Every limit of the site and its routes, each once."""
        found = [*self.of_site, *(one for each in self.of_routes.values() for one in each)]
        return tuple({one.zone: one for one in found}.values())


def limits(site: Site, place: Place) -> Limits:
    """The limits of the site."""
    options = site.options.limits
    of_site, held = tuple(_of_site(site)), _held(site, place)
    return Limits(
        held=held,
        bodies=Share(
            min(held.most, uploads(place, site.largest_upload)),
            f"disk of {place.disk >> 30} GiB" if place.disk else "",
        ),
        uncounted=ranges(site.proxies),
        uncounted_cause=site.cause("behind"),
        of_site=of_site,
        of_routes={
            item.pattern: tuple(_of_route(site, item, of_site)) for item in site.routed if item.edge.limit
        },
        remembered=_remembered(place),
        exempt=tuple(options.exempt),
        exempt_cause=site.cause("limits.exempt"),
        bandwidth=bandwidth(options.bandwidth) if options.bandwidth else 0,
        bandwidth_cause=site.cause("limits.bandwidth"),
        fair=_fair(site, place),
        is_dry_run=options.dry_run,
        dry_run_cause=site.cause("limits.dry_run"),
    )


def impossible(site: Site, *, is_waiting: bool) -> Iterator[Problem]:
    """Limits with a key that nothing provides here. Before the app is known, its session cookie is not known."""
    said = [("limits.rate", site.options.limits.rate, site.causes.get("limits.rate", ""))]
    said += [(f"{item.rule}: limit", item.edge.limit, item.causes.get("limit", "")) for item in site.routed]
    for where, texts, cause in said:
        for limit in (Limit.parse(text) for text in texts if text != OFF):
            if limit.per == "session" and not site.session_cookie and not is_waiting:
                what, hint = "the session's cookie is not known", 'name it: limits.session_cookie = "sid"'
            elif limit.per == "account" and not _account(site):
                what = "nothing here names the user before the app does"
                hint = "name the header of a declared proxy in limits.account_header, or ask for client certificates"
            else:
                continue
            yield Problem(cause.partition(": ")[0] or where, f'{where}: "{limit}": {what}', hint)


def _remembered(place: Place) -> int:
    by_memory = place.memory // _SHARE_OF_MEMORY // _BYTES_A_CLIENT
    return min(_CLIENTS_A_REQUEST * requests(place), by_memory, _MOST_REMEMBERED)


def _held(site: Site, place: Place) -> Share:
    if most := site.options.limits.held:
        return Share(most, site.cause("limits.held"))
    return Share(share(place), f"file limit {place.file_limit}, {place.cpus:g} CPUs")


def _fair(site: Site, place: Place) -> Fair | None:
    """A quarter of the threads: three greedy clients leave room for the others."""
    if Feature.QUEUE not in common_features(site) or not has_queue(site):
        return None
    size = capacity(site, place)
    threads = size.workers * size.threads
    return Fair(
        max(_LEAST_FAIR, threads // 4), Paths.of(place).crowd, f"{threads} threads in {size.workers} workers"
    )


def _of_site(site: Site) -> Iterator[Counted]:
    options, the_site = site.options.limits, "the site"
    yield from _counted(site, options.rate, "rate", the_site, site.cause("limits.rate"))
    if options.in_progress:
        text, cause = f"{options.in_progress} in progress", site.cause("limits.in_progress")
        yield from _counted(site, [text], "in_progress", the_site, cause)
    yield from _of_crawlers(site)


def _of_crawlers(site: Site) -> Iterator[Rate]:
    for kind, limit, names, cause in limited(site):
        burst = limit.count - 1 if limit.burst is None else limit.burst
        whom = Whom("crawler", kind, names=names)
        yield Rate(
            f"crawlers_{kind}",
            limit.count,
            limit.seconds,
            burst,
            whom,
            str(limit),
            f"crawlers: {kind}",
            cause,
        )


def _of_route(site: Site, item: Routed, of_site: tuple[Counted, ...]) -> Iterator[Counted]:
    if OFF not in item.edge.limit:
        yield from of_site
    texts = [text for text in item.edge.limit if text != OFF]
    # A number made from the pattern: a route that is added before it later changes no count.
    word = f"limit_{hashlib.sha256(item.pattern.encode()).hexdigest()[:8]}"
    yield from _counted(site, texts, word, item.rule, item.causes.get("limit", ""))


def _counted(site: Site, texts: Iterable[str], word: str, of: str, cause: str) -> Iterator[Counted]:
    for number, text in enumerate(texts):
        limit, zone = Limit.parse(text), f"{word}_{number}" if number or word.startswith("limit_") else word
        yield _one(limit, zone, _whom(site, limit), of, cause)
        if limit.per in ("session", "header"):
            # The limit for clients that forge a new value in each request.
            ceiling = Whom("client", methods=limit.methods)
            yield replace(
                _one(limit, f"{zone}_address", ceiling, of, cause, SESSIONS_AN_ADDRESS), is_ceiling=True
            )


def _one(limit: Limit, zone: str, whom: Whom, of: str, cause: str, times: int = 1) -> Counted:
    if not limit.seconds:
        most = min(limit.count * times, 65535)
        return Concurrent(zone, most, whom, str(limit), of, cause)
    count = limit.count * times
    burst = count - 1 if limit.burst is None else (limit.burst + 1) * times - 1
    return Rate(zone, count, limit.seconds, burst, whom, str(limit), of, cause)


def _whom(site: Site, limit: Limit) -> Whom:
    if limit.per == "session" and not site.session_cookie:
        return Whom("client", methods=limit.methods)  # the app is not known yet
    names = {"session": site.session_cookie, "header": limit.header, "account": _account(site)}
    return Whom(limit.per, names.get(limit.per, ""), limit.methods)


def _account(site: Site) -> str:
    """The source of the account, before the app is asked: nothing that a client can choose."""
    if header := site.options.limits.account_header:
        is_shared = all(entry in SHARED for entry in site.proxies) and not header.lower().startswith("cf-")
        return "" if is_shared or "user" not in site.believed else header
    return CERTIFICATE if site.has_https and site.options.https.client_ca else ""
