"""Which paths are answered by what: a match, the guards before it, and the action.

Mounts are chosen as web servers do: an exact path first, then the longest matching prefix. Inside that one its own
patterns come first, in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

from portico.plan.web.files.statics import File, Folder
from portico.plan.web.guards import Guard
from portico.plan.web.routing.model import Route
from portico.site.model import Routed


@dataclass(frozen=True)
class Exact:
    """One path."""

    path: str


@dataclass(frozen=True)
class Below:
    """Every path with this prefix."""

    path: str


@dataclass(frozen=True)
class Matching:
    """Every decoded path that this regular expression (PCRE) matches somewhere."""

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


@dataclass(frozen=True)
class Elsewhere:
    """Another site, a server, a redirect or a page, by a rule."""

    route: Route


Action = App | Files | OneFile | NotFound | Redirect | Elsewhere


@dataclass(frozen=True)
class Mount:
    """The paths of `match`, and the action once every guard has let a request through, in order."""

    match: Match
    action: Action
    why: str
    cause: str = ""
    guards: tuple[Guard, ...] = ()
    asked: App | None = None
    """For files: the app answers methods other than GET and HEAD, if its own code handles them."""
    inside: tuple[Mount, ...] = ()
    """Patterns that come first for paths of this mount, in their order."""
