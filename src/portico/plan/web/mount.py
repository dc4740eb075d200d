"""Which paths are answered by what: a match, the guards before it, and the action.

Mounts are chosen as web servers do: an exact path first, then the longest matching prefix. Inside that one its own
patterns come first, in their order.
"""

from __future__ import annotations

from msgspec import Struct

from portico.plan.web.files.statics import File, Folder
from portico.plan.web.guards import Guard
from portico.plan.web.routing.model import Route
from portico.site.model import Routed


class Exact(Struct, frozen=True):
    """One path."""

    path: str


class Below(Struct, frozen=True):
    """Every path with this prefix."""

    path: str


class Matching(Struct, frozen=True):
    """Every decoded path that this regular expression (PCRE) matches somewhere."""

    pattern: str
    ignores_case: bool = False


Match = Exact | Below | Matching


class App(Struct, frozen=True):
    """The app answers, with the settings of a route or those of the site."""

    routed: Routed | None = None
    is_cached: bool = True
    """Whether the cache takes part."""


class Files(Struct, frozen=True):
    """The files of a folder."""

    folder: Folder


class OneFile(Struct, frozen=True):
    """One file."""

    file: File


class NotFound(Struct, frozen=True):
    """404, as if nothing were there."""


class Redirect(Struct, frozen=True):
    """308 to this path, with the query of the request."""

    path: str


class Elsewhere(Struct, frozen=True):
    """Another site, a server, a redirect or a page, by a rule."""

    route: Route


Action = App | Files | OneFile | NotFound | Redirect | Elsewhere


class Mount(Struct, frozen=True):
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
