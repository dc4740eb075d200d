"""The challenge: a browser that asks for a costly route solves a small puzzle once and has a pass from then on.

The gateway verifies the pass itself. Who solves a puzzle is told apart from who does not; who solves it is not trusted
with anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.app_servers.chosen import has_queue
from portico.plan.paths import Paths
from portico.plan.subjects import PlannedChallenge
from portico.plan.web.ability import Ability
from portico.site.model import Routed, Site

SOLVED_AT = "/-/challenge"
"""Below the mount: where a browser brings the solution of a puzzle."""
RETRY_SECONDS = 60
"""How soon whoever solves no puzzle should ask again: pressure lasts that long at least."""

PARTS, ZERO_BITS = 8, 11
"""A puzzle has so many parts, each with a hash that begins with so many zeros: 16 384 hashes as a rule, and seldom
twice as many, because chance evens out among the parts."""


class Challenge(Struct, frozen=True):
    """Who is asked for a pass, and where the gateway finds what it must know."""

    planned: PlannedChallenge
    is_dry_run: bool
    exempt: tuple[str, ...]
    """Networks whose clients are not asked."""
    path: str
    """Where the browser brings the solution, the mount's prefix included."""
    cause: str
    dry_run_cause: str
    exempt_cause: str

    @property
    def is_always(self) -> bool:
        return self.planned.is_always


def challenge(site: Site, place: Place) -> Challenge | None:
    """None where nobody is asked: it is off, or no route is costly."""
    if site.options.guard.challenge == "off" or not any(map(is_costly, site.routed)):
        return None
    paths = Paths.of(place)
    return Challenge(
        planned=PlannedChallenge(
            directory=paths.challenge,
            socket=paths.challenge_socket,
            keys=paths.challenge_keys,
            path=f"{site.prefix}/",
            is_always=site.options.guard.challenge == "always",
            says_crowd=has_queue(site),
            cpus=place.cpus,
        ),
        is_dry_run=site.options.guard.challenge_dry_run,
        exempt=tuple(site.options.limits.exempt),
        path=f"{site.prefix}{SOLVED_AT}",
        cause=site.cause("guard.challenge"),
        dry_run_cause=site.cause("guard.challenge_dry_run"),
        exempt_cause=site.cause("limits.exempt"),
    )


def is_costly(route: Routed) -> bool:
    """Whether a pass is asked for there."""
    return route.edge.costly


def impossible(
    site: Site, abilities: frozenset[Ability], remedies: Mapping[Ability, str]
) -> Iterator[Problem]:
    """A challenge that cannot be here."""
    if site.options.guard.challenge == "off":
        return
    cause = site.cause("guard.challenge").partition(": ")[0]
    if Ability.SIGNED not in abilities:
        what = "guard.challenge: this gateway cannot verify a pass"
        yield Problem(cause, what, remedies.get(Ability.SIGNED, ""))
    if site.options.guard.challenge == "pressure" and not site.has_app:
        what = 'guard.challenge = "pressure": the app is elsewhere, and its load is not known here'
        yield Problem(cause, what, 'say challenge = "always"')


def notes(site: Site, routed: Sequence[Routed], *, is_waiting: bool) -> list[str]:
    """What the user may not expect."""
    said = site.options.guard
    if said.challenge != "off" and not is_waiting and not any(map(is_costly, routed)):
        hint = 'mark what costs much: @edge.costly beside the view, or [routes."/search"] costly = true'
        return [
            f"{site.cause('guard.challenge')}: no client is asked for a pass, because no route is costly; {hint}"
        ]
    return []
