"""Which paths of a copy lessons ask for, and what a page begins with."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from portico.errors import PorticoError, Problem
from portico.lessons.stages import is_of_app
from portico.measure import routes
from portico.measure.model import Route
from portico.place import untrusted
from portico.site.model import Site

if TYPE_CHECKING:
    from portico.learn.copy import Copy

_TITLE, _TITLE_ENDS = re.compile("<title>", re.I), re.compile("</title>", re.I)
"""One pattern with both would try a page that never ends its titles at each of them: for an hour with 1 MiB."""
_MOST_TITLE = 60
_MOST_FILES = 200
_MOST_ROUTES = 4
_FILE = re.compile(r"\w[\w-]*\.(?:css|js|svg|png|jpe?g|ico|txt|webp|woff2)")
_OK = range(200, 300)


class Paths(Struct, frozen=True):
    """One that the app answers; one that comes from the cache when it is asked for again, and one of a file that the
    gateway sends, each empty if the site has none. `folder` is the URL of that file's folder.
    """

    app: str
    cached: str = ""
    file: str = ""
    folder: str = ""


def paths(copy: Copy, named: Sequence[Route] = ()) -> Paths:
    """Looks for them among the named routes, or else the app's. Raises PorticoError if the app answers none."""
    site = copy.found.site
    has_cache = bool(int(site.options.cache.size))
    found, second, cached = "", "", ""
    for route in named or routes.of_app(site.facts, site.options.mount)[:_MOST_ROUTES]:
        seen = copy.ask(route.path)
        if has_cache and seen.trace.status in _OK:
            seen = copy.ask(route.path)
        if seen.is_from_cache:
            cached = cached or route.path
        elif is_of_app(seen.trace) and seen.trace.status in _OK:
            found = found or route.path
        elif is_of_app(seen.trace):
            second = second or route.path
        if found and (cached or not has_cache):
            break
    if not (found or second):
        what = "the app answered none of its routes without arguments"
        raise PorticoError(
            Problem("learn", what, "name one that a plain GET gets from the app: --route /items")
        )
    folder, name = next(_files(site), ("", ""))
    return Paths(found or second, cached, folder + name, folder)


def _files(site: Site) -> Iterator[tuple[str, str]]:
    """The URL of each folder that has a file of a usual name, and the name."""
    for folder in site.static:
        for path, status in sorted(untrusted.files(folder.folder, _MOST_FILES)):
            if stat.S_ISREG(status.st_mode) and _FILE.fullmatch(path.name):
                yield site.prefix + folder.url, path.name


def title(body: str) -> str:
    """That of a page, or the first words of what is none."""
    begins = _TITLE.search(body)
    ends = _TITLE_ENDS.search(body, begins.end()) if begins else None
    words = " ".join((body[begins.end() : ends.start()] if begins and ends else body).split())
    return words if len(words) <= _MOST_TITLE else f"{words[:_MOST_TITLE]}..."
