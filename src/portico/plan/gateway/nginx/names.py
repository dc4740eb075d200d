"""Names that a site defines in nginx's configuration. On a shared gateway each contains the site's space, so that
no two sites collide.

Every name of Portico begins with `portico_`. Names that all sites share have no space: `limits.SHARED`,
`tls.SESSIONS` and the maps of `http.maps`. No word in a name contains two underscores.
"""

from __future__ import annotations

from portico.plan.paths import hosted_files
from portico.plan.web.model import Web

PREFIX = "portico_"


def name_of(web: Web, word: str) -> str:
    """The name of a zone, a log format, an upstream."""
    return spaced(web.space, word)


def variable(web: Web, word: str) -> str:
    """The name of a variable, with its `$`."""
    return f"${name_of(web, word)}"


def location(web: Web, word: str) -> str:
    """The name of a named location, with its `@`."""
    return f"@{name_of(web, word)}"


def file_of(web: Web, name: str) -> str:
    """A file of the site that changes at run time, relative to its nginx.conf."""
    return f"{hosted_files(web.name)}/{name}" if web.space else name


def spaced(space: str, word: str) -> str:
    """The name in that space; the space is empty for shared names, and for a site alone."""
    return f"{PREFIX}{space}__{word}" if space else f"{PREFIX}{word}"


def header_word(name: str) -> str:
    """A header's name in nginx's variables: `$http_` and the like are in front of it."""
    return name.lower().replace("-", "_")
