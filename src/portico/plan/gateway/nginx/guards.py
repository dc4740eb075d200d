"""The guards of a mount, written in one place: whoever sends requests to the app asks for them here."""

from __future__ import annotations

from collections.abc import Sequence

from portico.plan.gateway.nginx.access import Said, said
from portico.plan.gateway.nginx.conf import Directive, block
from portico.plan.gateway.nginx.limits import counted, waits
from portico.plan.gateway.nginx.pages import closed, too_long
from portico.plan.gateway.nginx.password import asks_password
from portico.plan.web.guards import (
    FromNetworks,
    Guard,
    HeadSize,
    InProgress,
    Methods,
    NotDenied,
    Open,
    Password,
    PlainPath,
    RequestRate,
)
from portico.plan.web.model import Web

PASSED = (PlainPath, NotDenied, FromNetworks, Methods, Open, HeadSize)
"""What a request has gone through that comes from another location of the app's."""


def guarded(
    web: Web,
    guards: Sequence[Guard],
    detours: Sequence[Directive] = (),
    passed: tuple[type[Guard], ...] = (),
) -> list[Directive]:
    """Every guard but those that were passed.

    nginx decides by the request alone (`if`) before it counts; `detours` are what sends a request on between the two.
    """
    left = [guard for guard in guards if not isinstance(guard, passed)]
    first = [
        made for guard in left if isinstance(guard, Said | Open | HeadSize) for made in _first(web, guard)
    ]
    rates = [guard.rate for guard in left if isinstance(guard, RequestRate)]
    shares = [guard.share for guard in left if isinstance(guard, InProgress)]
    last = [made for guard in left if isinstance(guard, Password) for made in asks_password(web, guard)]
    return [*first, *waits(web, rates), *detours, *counted(web, rates, shares), *last]


def _first(web: Web, guard: Said | Open | HeadSize) -> list[Directive]:
    if isinstance(guard, Said):
        return said(web, guard)
    if isinstance(guard, HeadSize):
        return [too_long()]
    return [
        block(
            "if", "(-f", f"{guard.directory}/on)",
            why="this file exists while portico maintenance is on; looking for it costs a request less than 1 us",
            of=[closed()],
        )
    ]  # fmt: skip
