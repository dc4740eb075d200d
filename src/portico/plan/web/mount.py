"""Who answers which paths: a match, what is asked before, and what is done.

A mount is chosen as web servers choose: an exact path first, then the longest path that the request's begins with.
Inside that one its own patterns come first, in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

from portico.plan.web.files.statics import File, Folder
from portico.plan.web.guards import Guard
from portico.site.model import Routed


@dataclass(frozen=True)
class Exact:
    """One path."""

    path: str


@dataclass(frozen=True)
class Below:
    """Every path that begins so."""

    path: str


@dataclass(frozen=True)
class Matching:
    """Every decoded path in which this regular expression (PCRE) is found."""

    pattern: str
    ignores_case: bool = False


Match = Exact | Below | Matching


@dataclass(frozen=True)
class App:
    """The app answers, with the settings of a route or those of the site."""

    routed: Routed | None = None
    is_cached: bool = True
    """Whether the cache takes part."""


@dataclass(frozen=True)
class Files:
    """The files of a folder."""

    folder: Folder


@dataclass(frozen=True)
class OneFile:
    """One file."""

    file: File


@dataclass(frozen=True)
class NotFound:
    """404, as if nothing were there."""


@dataclass(frozen=True)
class Redirect:
    """308 to this path, with the query of the request."""

    path: str


Action = App | Files | OneFile | NotFound | Redirect


@dataclass(frozen=True)
class Mount:
    """The paths of `match`, and who answers them once every guard has let a request through, one after the other."""

    match: Match
    action: Action
    why: str
    cause: str = ""
    guards: tuple[Guard, ...] = ()
    asked: App | None = None
    """Of files: answers any method that does more than read, where code of the app's own has a say about them."""
    inside: tuple[Mount, ...] = ()
    """Those that come first for paths of this one, in their order."""
