"""Which sites are taken in: who runs keeps what it has, and a newcomer that cannot stand beside it is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from portico.errors import PorticoError, Problem
from portico.place.model import Place
from portico.plan.host import Fragment
from portico.run.host import state
from portico.run.host.acceptable import Refused, acceptable
from portico.run.host.member import Member, Wanted, prepare
from portico.values import Address


@dataclass(frozen=True)
class Taken:
    """The sites as they are to be; nginx serves a part of each that was not refused."""

    members: dict[str, Member]
    parts: dict[str, Fragment]


def taken_in(
    wanted: Sequence[Wanted],
    before: Taken,
    place: Place,
    open_already: Collection[Address] | None,
    now: float,
    only: str = "",
) -> Taken:
    """A site that runs keeps its part: its own reload changes it. With `only`, that one alone is tried again.

    `open_already` as in `acceptable`.
    """
    members, parts = dict[str, Member](), dict[str, Fragment]()
    refused: list[tuple[Wanted, Sequence[Problem]]] = []
    for one in wanted:
        known = before.members.get(one.name)
        if one.name in members:
            refused.append((_numbered(one, members), (_same_name(one, members[one.name].wanted),)))
            continue
        if known is not None and (known.child is not None or only not in ("", one.name)):
            members[one.name] = known
            parts |= {one.name: before.parts[one.name]} if one.name in before.parts else {}
            continue
        try:
            parts[one.name] = prepare(one, place.runtime)
            members[one.name] = Member(one, state.waiting(state.SiteState(), now))
        except PorticoError as error:
            refused.append((one, error.problems))
    # Who serves keeps what it has: a newcomer that wants the same is refused, wherever it stands in the list.
    first_come = sorted(parts.values(), key=lambda part: members[part.bindings.name].child is None)
    fit, more = acceptable(first_come, place, open_already)
    refused += _by_wanted(more, members)
    for one, problems in refused:
        reason = "\n".join(map(str, problems))
        members[one.name] = Member(one, state.refused(state.SiteState(), reason, now))
    return Taken(members, {part.bindings.name: part for part in fit})


def _same_name(one: Wanted, other: Wanted) -> Problem:
    what = f'is called "{one.name}", and so is {other.origin}'
    return Problem(one.origin, what, 'give one of the two another name: name = "..."')


def _numbered(one: Wanted, members: Mapping[str, Member]) -> Wanted:
    """Under a name of its own it can be listed, too."""
    number = next(number for number in range(2, len(members) + 3) if f"{one.name}#{number}" not in members)
    return replace(one, name=f"{one.name}#{number}", plan=None, runtime="")


def _by_wanted(refused: Refused, members: Mapping[str, Member]) -> list[tuple[Wanted, Sequence[Problem]]]:
    return [(members[part.bindings.name].wanted, problems) for part, problems in refused]
