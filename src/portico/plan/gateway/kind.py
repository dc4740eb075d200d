"""A kind of gateway: a web server that can stand in front of apps, as values and as functions of values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.bindings import Bindings
from portico.plan.gateway.faults import Faults
from portico.plan.model import File, PlannedLimit, Process, Tls, Upstream
from portico.plan.web.ability import Ability
from portico.plan.web.model import Web


@dataclass(frozen=True)
class GatewayKind:
    """What Portico asks of any web server. Every function is pure."""

    name: str
    """The program's, as the process is called."""
    abilities: Callable[[Place], frozenset[Ability]]
    """What the build of this place can do of what not every gateway can."""
    remedies: Mapping[Ability, str]
    """What helps where a build lacks one of these."""
    bodies: tuple[str, ...]
    """What it has bodies on disk for, while they are on their way: a directory each, below `paths.temporary`."""
    process: Callable[[Place, str], Process]
    """What is started where several sites or one are served, and why."""
    files: Callable[[Web], Sequence[File]]
    """Everything that it reads of a site. Beside other sites the first is the fragment, `paths.FRAGMENT`."""
    set_for_all: Callable[[Web], tuple[str, ...]]
    """What the user's own lines in that fragment set for every site, where only one may say it."""
    host_file: Callable[[Sequence[Bindings], Place], File]
    """What it reads first where several sites share it; their bindings do not conflict."""
    servers: Callable[[Web], Upstream | None]
    """The servers of [upstream], with its own line for each; None where the app answers alone."""
    limits: Callable[[Web], tuple[PlannedLimit, ...]]
    """Every limit on clients, with its own name for the count."""
    hsts: Callable[[Tls, int], File]
    """The file that tells browsers to insist on HTTPS for so many seconds; 0: they are told nothing."""
    names_line: re.Pattern[str]
    """Finds the path and the number of each line that its words about its files name."""
    problems: Callable[[Web], list[Problem]]
    """What it, or this build of it, cannot do."""
    notes: Callable[[Web], list[str]]
    """What people should know of it, a sentence each."""
    own_risks: Callable[[Web], list[Problem]]
    """What the user's own lines in its language lose of Portico's, or let through."""
    faults: Faults
    """Its published faults."""
