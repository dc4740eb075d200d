"""A kind of gateway: a web server in front of apps, as values and pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.bindings import Bindings
from portico.plan.files import File, Process
from portico.plan.gateway.faults import Faults
from portico.plan.subjects import PlannedBans, PlannedClaims, PlannedLimit, Tls, Upstream
from portico.plan.web.ability import Ability
from portico.plan.web.model import Web
from portico.site.own.model import Own
from portico.values import Duration, Size


class Alone(Struct, frozen=True):
    """How a gateway runs without Portico. `files` are for people: by subject, with the reasons as comments."""

    files: Callable[[Web], Sequence[File]]
    pid: str
    """Its file below the runtime directory."""
    only_test: tuple[str, ...]
    """The arguments that make it read its files and end."""
    stop: str
    """The signal after which it finishes its requests."""
    reload: str
    reopen: str
    """The signal after which it writes to new logs."""


class GatewayKind(Struct, frozen=True):
    """Everything that Portico asks of a web server. Every function is pure."""

    name: str
    """The program's name, which is the process's, too."""
    abilities: Callable[[Place], frozenset[Ability]]
    """The abilities of the place's build that not every gateway has."""
    remedies: Mapping[Ability, str]
    """What to do if a build lacks one of these."""
    bodies: tuple[str, ...]
    """The kinds of temporary bodies on disk: one directory each, below `paths.temporary`."""
    process: Callable[[Place, str], Process]
    """The command for one site or for several, and its reason."""
    files: Callable[[Web], Sequence[File]]
    """All files that it reads for a site. On a shared gateway the first is the fragment, `paths.FRAGMENT`."""
    set_for_all: Callable[[Web], tuple[str, ...]]
    """What the user's own lines in that fragment set for every site, where only one site may set it."""
    shared: Problem
    """The note (`what`) of a site whose own lines hold for every site that shares the gateway, and what helps."""
    modules: Callable[[Web], tuple[str, ...]]
    """The modules that a shared gateway loads for the site, beside those that it always has."""
    once: Callable[[Web], tuple[tuple[str, tuple[str, ...]], ...]]
    """The directives that it takes once for all sites, and the words that this one needs there."""
    names_in_order: bool
    """It tries the names of sites in the order of its files; else an exact name comes before a wildcard by itself."""
    one_ends_all: str
    """Why sites of different users may not share it, as a sentence; empty if they may."""
    host_files: Callable[[Sequence[Bindings], Place], Sequence[File]]
    """Its own files where several sites share it, the main one first; their bindings do not conflict."""
    servers: Callable[[Web], Upstream | None]
    """The servers of [upstream] with its own line for each; None if only the app answers."""
    limits: Callable[[Web], tuple[PlannedLimit, ...]]
    """Every limit on clients, with its own name for the counter."""
    bans: Callable[[Web], PlannedBans | None]
    """Who is refused everything for a while; None where nobody is."""
    claims: Callable[[Web], PlannedClaims | None]
    """Which names of crawlers are verified by DNS; None where none is."""
    hsts: Callable[[Tls, int], File]
    """The file with the HSTS header for so many seconds; 0: no header."""
    names_line: re.Pattern[str]
    """Finds the `path` and the `number` of the line of each place that its messages about its files name."""
    problems: Callable[[Web], list[Problem]]
    """What it, or this build of it, cannot do."""
    notes: Callable[[Web], list[str]]
    """Notes for the user, a sentence each."""
    own_risks: Callable[[Web], list[Problem]]
    """What the user's own lines in its language take away from Portico's, or let through."""
    own_limits: Callable[[Sequence[Own], Duration, Size], list[Problem]]
    """Those of the user's own lines that end or refuse a request before `request_timeout` and `max_upload` do."""
    room: Callable[[Place], str]
    """What one of its worker processes holds at once, in words."""
    faults: Faults
    """Its published faults."""
    alone: Alone | None = None
    """How it runs without Portico; None if it cannot."""
