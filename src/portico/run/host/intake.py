"""Decides which sites are accepted: a running site keeps its part, and a conflicting new site is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from portico.errors import PorticoError, Problem
from portico.place.model import Place
from portico.plan.host import Fragment
from portico.run.host import state
from portico.run.host.acceptable import Refused, acceptable
from portico.run.host.apart import not_apart
from portico.run.host.hosted import DesiredSite, HostedSite, prepare
from portico.values import Address


class Taken(Struct, frozen=True):
    """The desired sites; the gateway serves a part for each that was not refused."""

    hosted_sites: dict[str, HostedSite]
    parts: dict[str, Fragment]


def taken_in(
    desired: Sequence[DesiredSite],
    before: Taken,
    place: Place,
    open_already: Collection[Address] | None,
    now: float,
    only: str = "",
) -> Taken:
    """A running site keeps its part, which only its own reload changes. With `only`, just that site is retried.

    `open_already` as in `acceptable`.
    """
    hosted_sites, parts = dict[str, HostedSite](), dict[str, Fragment]()
    refused: list[tuple[DesiredSite, Sequence[Problem]]] = []
    kept = {name: one for name, one in before.hosted_sites.items() if one.child or only not in ("", name)}
    serving = [kept[one.name].desired for one in desired if one.name in kept and one.name in before.parts]
    for one in desired:
        known = kept.get(one.name)
        if one.name in hosted_sites:
            refused.append((_numbered(one, hosted_sites), (_same_name(one, hosted_sites[one.name].desired),)))
            continue
        if known is not None:
            hosted_sites[one.name] = known
            parts |= {one.name: before.parts[one.name]} if one.name in before.parts else {}
            continue
        if reasons := not_apart(one, desired, serving, place):
            refused.append((one, reasons))
            continue
        try:
            parts[one.name] = prepare(one, place.runtime)
            hosted_sites[one.name] = HostedSite(one, state.waiting(state.SiteState(), now))
        except PorticoError as error:
            refused.append((one, error.problems))
    # A serving site keeps its part: a newcomer with the same addresses is refused, whatever its place in the list.
    first_come = sorted(parts.values(), key=lambda part: hosted_sites[part.bindings.name].child is None)
    fit, more = acceptable(first_come, place, open_already)
    refused += _by_desired(more, hosted_sites)
    for one, problems in refused:
        reason = "\n".join(map(str, problems))
        hosted_sites[one.name] = HostedSite(one, state.refused(state.SiteState(), reason, now))
    return Taken(hosted_sites, {part.bindings.name: part for part in fit})


def _same_name(one: DesiredSite, other: DesiredSite) -> Problem:
    what = f'is called "{one.name}", and so is {other.origin}'
    return Problem(one.origin, what, 'give one of the two another name: name = "..."')


def _numbered(one: DesiredSite, hosted_sites: Mapping[str, HostedSite]) -> DesiredSite:
    """Gives it a name of its own, so that it can be listed."""
    number = next(
        number for number in range(2, len(hosted_sites) + 3) if f"{one.name}#{number}" not in hosted_sites
    )
    return replace(one, name=f"{one.name}#{number}", plan=None, runtime="")


def _by_desired(
    refused: Refused, hosted_sites: Mapping[str, HostedSite]
) -> list[tuple[DesiredSite, Sequence[Problem]]]:
    return [(hosted_sites[part.bindings.name].desired, problems) for part, problems in refused]
