"""Writes the guards of a mount, for every location that passes requests to the app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from portico.plan.gateway.nginx.access import said
from portico.plan.gateway.nginx.allow_list import leave
from portico.plan.gateway.nginx.app.challenge import asks_pass
from portico.plan.gateway.nginx.app.checks import asked
from portico.plan.gateway.nginx.bans import banned
from portico.plan.gateway.nginx.crawlers import unwanted
from portico.plan.gateway.nginx.entry.maintenance import if_open
from portico.plan.gateway.nginx.limits.counted import counted, waits
from portico.plan.gateway.nginx.pages import too_long
from portico.plan.gateway.nginx.password import asks_password
from portico.plan.gateway.nginx.routing.choice import to_rule
from portico.plan.gateway.nginx.syntax import Directive
from portico.plan.web.guards import (
    Asked,
    Certificate,
    FairShare,
    FromNetworks,
    Guard,
    HeadSize,
    InProgress,
    Inspection,
    Known,
    Methods,
    NoScanner,
    NotBanned,
    NotDenied,
    NotElsewhere,
    Open,
    Passed,
    Password,
    PlainPath,
    RequestRate,
    WantedCrawler,
)
from portico.plan.web.limits import Concurrent, Fair, Rate
from portico.plan.web.model import Web

PASSED = (
    NotElsewhere,
    NotBanned,
    WantedCrawler,
    PlainPath,
    NotDenied,
    FromNetworks,
    Methods,
    Certificate,
    Open,
    HeadSize,
)
"""The guards that an internally redirected request has passed already."""
PAGE_PASSED = (*PASSED, NoScanner, Known)
"""The same for a navigation that may be a page of the single-page app: no rule of the app matches those paths."""


def guarded(
    web: Web,
    guards: Sequence[Guard],
    detours: Sequence[Directive] = (),
    passed: tuple[type[Guard], ...] = (),
) -> list[Directive]:
    """Every guard except those that were passed.

    nginx decides by the request alone (`if`) before it counts; `detours` redirect a request between the two.
    """
    first, listed, last = list[Directive](), list[Directive](), list[Directive]()
    rates, shares = list[Rate](), list[Concurrent | Fair]()
    for guard in guards:
        if isinstance(guard, passed):
            continue
        match guard:
            case NotElsewhere() | NotBanned() | WantedCrawler() | HeadSize() | Open():
                first += _first(web, guard)
            case PlainPath() | NotDenied() | FromNetworks() | Methods() | Certificate():
                first += said(web, guard)
            case NoScanner() | Known() | Passed():
                listed += asks_pass(web, guard) if isinstance(guard, Passed) else [leave(web, guard)]
            case RequestRate(rate):
                rates.append(rate)
            case InProgress(share) | FairShare(share):
                shares.append(share)
            case Password() | Asked():
                last += _known(web, guard, is_alone=not last)
            case Inspection():
                pass  # `waf` passes such a mount's requests to a location that inspects them
            case _:
                assert_never(guard)
    return [*first, *waits(web, rates), *detours, *listed, *counted(web, rates, shares), *last]


def _known(web: Web, guard: Password | Asked, *, is_alone: bool) -> list[Directive]:
    """The guards of authentication."""
    return asks_password(web, guard) if isinstance(guard, Password) else asked(web, is_alone=is_alone)


def _first(web: Web, guard: NotElsewhere | NotBanned | WantedCrawler | HeadSize | Open) -> list[Directive]:
    """Guards that need only the request, on any path."""
    match guard:
        case NotElsewhere(choice):
            return [to_rule(web, choice)]
        case NotBanned(bans):
            return banned(web, bans)
        case WantedCrawler(crawlers):
            return unwanted(web, crawlers)
        case HeadSize():
            return [too_long()]
        case Open():
            return if_open(web, guard)
