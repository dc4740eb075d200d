"""The guards of a request before the app sees it, in order: each one lets it pass or answers it.

`refused_by` are the names under which a guard refuses; `refusals` has the status of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from msgspec import Struct, field

from portico.place.model import Place
from portico.plan.paths import Paths
from portico.plan.web import refusals
from portico.plan.web.access import Access, Allowed, ByPath, Check, Denied, Taken, Users, Verified
from portico.plan.web.allow_list import AllowList
from portico.plan.web.app.challenge import Challenge, is_costly
from portico.plan.web.limits import Concurrent, Counted, Fair, Limits, Rate
from portico.plan.web.routing.model import Choice
from portico.plan.web.unwanted.bans import Bans
from portico.plan.web.unwanted.crawlers import Crawlers
from portico.plan.web.waf import Waf, is_inspected
from portico.site.model import Routed


class NotElsewhere(Struct, frozen=True):
    """No rule with conditions sends the request elsewhere: else it goes there, past the guards of that way."""

    refused_by: ClassVar[tuple[str, ...]] = ()

    choice: Choice


class NotBanned(Struct, frozen=True):
    """The client is not banned: else 403."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.BAN,)

    bans: Bans


class WantedCrawler(Struct, frozen=True):
    """The client is not a refused crawler, and does not pretend to be another one: else 403."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.CRAWLER, refusals.FORGED)

    crawlers: Crawlers


class Open(Struct, frozen=True):
    """The site is not closed for maintenance: else 503, except for admitted addresses.

    `directory` has the file `on` during maintenance, and `allowed/ADDRESS` for each admitted address.
    """

    refused_by: ClassVar[tuple[str, ...]] = (refusals.MAINTENANCE,)

    directory: str


class HeadSize(Struct, frozen=True):
    """The head fits the link to the app: else 431. `most` is in bytes."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.HEAD,)

    most: int


class NoScanner(Struct, frozen=True):
    """The path is not one that scanners try, or a rule of the app matches it: else 404."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.SCANNER,)

    known: AllowList


class Known(Struct, frozen=True):
    """A rule of the app matches the path and the method: else 404 or 405."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.ROUTES,)

    known: AllowList


class Passed(Struct, frozen=True):
    """The client has a pass, which its browser gets for solving a puzzle, or none is required now: else 429."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.CHALLENGE,)

    challenge: Challenge


class RequestRate(Struct, frozen=True):
    """The rate of requests is below the limit: else 429."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.RATE,)

    rate: Rate


class InProgress(Struct, frozen=True):
    """The number of requests to the app in progress is below the limit: else 429."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.CONNECTIONS,)

    share: Concurrent


class FairShare(Struct, frozen=True):
    """In an overload, the client has no more requests in progress than its share: else 429."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.SHARE,)

    fair: Fair


class NotDenied(Struct, frozen=True):
    """The client's network is not refused: else 403."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.NETWORK,)

    networks: ByPath[Denied]


class FromNetworks(Struct, frozen=True):
    """The client's network has access: else 403, or 404 if the path is hidden."""

    networks: ByPath[Allowed]

    @property
    def refused_by(self) -> tuple[str, ...]:
        """By name; `internal` where a path is hidden."""
        hides = any(one.is_hidden for one in self.networks.values)
        return (refusals.NETWORK, refusals.INTERNAL) if hides else (refusals.NETWORK,)


class Methods(Struct, frozen=True):
    """The method is accepted here: else 405."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.METHOD,)

    methods: ByPath[Taken]


class Certificate(Struct, frozen=True):
    """The client has a certificate that a known authority signed: else 403."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.CERTIFICATE,)

    certificates: ByPath[Verified]


class PlainPath(Struct, frozen=True):
    """The path has no segment `.` or `..`, and no `#`: else 400."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.PATH,)


class Password(Struct, frozen=True):
    """The client is a user with access, with the right password: else 401."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.PASSWORD, refusals.GUESS)

    users: ByPath[Users]


class Asked(Struct, frozen=True):
    """A view of the app or a service elsewhere grants access: else 401 or 403, and 500 if it fails."""

    refused_by: ClassVar[tuple[str, ...]] = (refusals.AUTH,)

    checks: ByPath[Check]


class Inspection(Struct, frozen=True):
    """The rules of the firewall find no attack in the request: else 403, or a line in its report.

    It is the last guard: it costs a hundred times more than the others, so they refuse a flood before it.
    """

    refused_by: ClassVar[tuple[str, ...]] = (refusals.WAF,)

    waf: Waf


Guard = (
    NotElsewhere
    | NotBanned
    | WantedCrawler
    | PlainPath
    | NotDenied
    | FromNetworks
    | Methods
    | Certificate
    | Open
    | HeadSize
    | NoScanner
    | Known
    | Passed
    | RequestRate
    | InProgress
    | FairShare
    | Inspection
    | Password
    | Asked
)

MOST_HEAD = 56 << 10
"""Bytes of a head: a packet of the uwsgi protocol holds 65 535, and each header needs up to 7 more there."""


class Chains(Struct, frozen=True):
    """The guards of each way to the app, in order: those of the site, and those of routes that have others.

    A request that is redirected internally (a WebSocket, an admitted address during maintenance, a page of a
    single-page app) passes the guards of its route.
    """

    site: tuple[Guard, ...]
    files: tuple[Guard, ...] = ()
    """Those of files that the gateway sends itself: access, and no limit of the app's answers. Maintenance closes them
    if the site has no app: an app's page of maintenance may need them.
    """
    routes: Mapping[str, tuple[Guard, ...]] = field(default_factory=dict)
    """By the route's pattern; a missing route has those of the site."""

    @property
    def every(self) -> tuple[Guard, ...]:
        """The guards of all ways; some more than once."""
        return (*self.files, *self.site, *(guard for chain in self.routes.values() for guard in chain))

    def of(self, routed: Routed | None) -> tuple[Guard, ...]:
        """The guards of this route; None is the rest of the site."""
        return self.routes.get(routed.pattern, self.site) if routed else self.site


def by_path(guard: Guard) -> ByPath[Any] | None:
    """The values of this guard by path; None: the same everywhere."""
    match guard:
        case (
            NotDenied(found)
            | FromNetworks(found)
            | Methods(found)
            | Certificate(found)
            | Password(found)
            | Asked(found)
        ):
            return found
        case _:
            return None


class Guarded(Struct, frozen=True):
    """What the guards of a site check: each subject's decisions."""

    limits: Limits
    access: Access
    waf: Waf | None
    allow_list: AllowList | None
    bans: Bans | None
    challenge: Challenge | None
    crawlers: Crawlers | None
    choice: Choice
    """The rules of [[route]] with conditions; none in most sites."""


def chains(place: Place, guarded: Guarded, routed: Sequence[Routed], *, has_app: bool) -> Chains:
    """The guards of everything that the site answers; `has_app` also for servers elsewhere."""
    limits, waf, challenge = guarded.limits, guarded.waf, guarded.challenge
    of_client, of_user = _of_client(guarded), _of_user(guarded.access)
    first: tuple[Guard, ...] = (NotElsewhere(guarded.choice),) if guarded.choice.routes else ()

    def chain(item: Routed | None) -> tuple[Guard, ...]:
        counted = limits.of_routes.get(item.pattern, limits.of_site) if item else limits.of_site
        inspects = waf is not None and (item is None or is_inspected(item))
        return (
            *first,
            *of_client,
            *_of_app(place, guarded.allow_list),
            *([Passed(challenge)] if challenge and item and is_costly(item) else []),
            *_of_limits(counted),
            *([FairShare(limits.fair)] if limits.fair else []),
            *of_user,
            *([Inspection(waf)] if waf and inspects else []),
        )

    site = chain(None)
    return Chains(
        site,
        (*first, *of_client, *([] if has_app else [_open(place)]), *of_user),
        {one.pattern: own for one in routed if (own := chain(one)) != site},
    )


def _of_client(guarded: Guarded) -> tuple[Guard, ...]:
    """Access by the client's address and request: before anything that costs more."""
    access = guarded.access
    chain: list[Guard] = [NotBanned(guarded.bans)] if guarded.bans else []
    chain += [WantedCrawler(guarded.crawlers)] if guarded.crawlers else []
    chain += [PlainPath()] if access.refuses_dots else []
    chain += [NotDenied(access.denied)] if access.denied else []
    chain += [FromNetworks(access.allowed)] if access.allowed else []
    chain += [Methods(access.methods)] if access.methods else []
    chain += [Certificate(access.certificates)] if access.certificates else []
    return tuple(chain)


def _of_user(access: Access) -> tuple[Guard, ...]:
    """Authentication: after the limits, because a password costs more than they do."""
    chain: list[Guard] = [Password(access.users)] if access.users else []
    return (*chain, *([Asked(access.checks)] if access.checks else []))


def _of_app(place: Place, known: AllowList | None) -> tuple[Guard, ...]:
    """Guards that need only the request come before counting ones: they cost less, and need no memory."""
    chain: list[Guard] = [_open(place), HeadSize(MOST_HEAD)]
    chain += [NoScanner(known)] if known and known.scanners else []
    chain += [Known(known)] if known and known.is_whole else []
    return tuple(chain)


def _open(place: Place) -> Open:
    return Open(Paths.of(place).maintenance)


def _of_limits(counted: Sequence[Counted]) -> tuple[Guard, ...]:
    chain: list[Guard] = [RequestRate(one) for one in counted if isinstance(one, Rate)]
    return (*chain, *(InProgress(one) for one in counted if isinstance(one, Concurrent)))
