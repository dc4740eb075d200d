"""What is known of a gateway's published faults: which are open in a build, and which of them a site would use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from portico.place.model import Place
from portico.site.model import Site

Version = tuple[int, ...]
Severity = Literal["major", "medium", "low"]


class Advisory(NamedTuple):
    """One published fault.

    `since` is the first version that has it. `fixed` are the first versions without it, one a branch. `needs` are
    alternatives, each a set of directives joined by ` + ` that one block must have; a word after a name must
    be among its arguments (`listen quic`), and `*` at its end stands for any rest. `$captures` stands for an argument
    that uses what a pattern captured. Without `needs` every configuration counts. `debian` is Debian 12's first package
    version without it. `mends` is the setting that avoids it.
    """

    id: str
    about: str
    severity: Severity
    since: Version
    fixed: tuple[Version, ...]
    needs: tuple[str, ...] = ()
    debian: str = ""
    mends: str = ""
    date: str = ""
    source: str = ""


class Hole(NamedTuple):
    """An open advisory; `is_used` says whether the configuration has what it needs."""

    advisory: Advisory
    is_used: bool

    @property
    def is_severe(self) -> bool:
        return self.is_used and self.advisory.severity == "major"


@dataclass(frozen=True)
class Faults:
    """The facts about one kind of gateway, and what follows from them. Every function is pure."""

    as_of: str
    """The day they were collected."""
    chosen: Callable[[Place, Sequence[Site]], Place]
    """The place with the build that has the fewest open faults which these sites, on one gateway, would use."""
    found: Callable[[Site, Place], Sequence[Hole]]
    """The open faults of the build in use."""
    judged_by: Callable[[Place], str]
    """What that build was judged by, in half a line."""
    mend: Callable[[Place], str]
    """The one command that brings a patched build here."""
    alarms: Callable[[Site, Place], tuple[str, ...]]
    """What must be said loudly of a site that others can reach."""
