"""The published faults of a gateway: which are open in a build, and which of them a site would use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from portico.place.model import Place
from portico.site.model import Site

Version = tuple[int, ...]
Severity = Literal["major", "medium", "low"]


class Advisory(NamedTuple):
    """One published fault.

    `since` is the first version with it. `fixed` are the first versions without it, one for each branch. `needs` are
    alternatives, each a set of directives joined by ` + ` that one block must contain; a word after a name must be
    among its arguments (`listen quic`), and a trailing `*` stands for any rest. `$captures` stands for an argument
    that uses a pattern's captures. Without `needs`, every configuration is affected. `debian` is Debian 12's first
    package version without it. `mends` is the setting that avoids it.
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


class Faults(Struct, frozen=True):
    """The facts about one kind of gateway, and judgements from them. Every function is pure."""

    as_of: str
    """The day on which they were collected; empty if Portico has no list of them."""
    chosen: Callable[[Place, Sequence[Site]], Place]
    """Chooses the build for the place: the one with the fewest open faults that these sites, on one gateway, would
    use.
    """
    found: Callable[[Site, Place], Sequence[Hole]]
    """The open faults of the build in use."""
    judged_by: Callable[[Place], str]
    """The basis of the judgement, in half a line."""
    mend: Callable[[Place], str]
    """The command that installs a patched build here."""
    alarms: Callable[[Site, Place], tuple[str, ...]]
    """Warnings for a site that others can reach."""
