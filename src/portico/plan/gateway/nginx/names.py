"""Names of a site's own in nginx's configuration. Beside other sites each has the site's space: no two sites meet.

Every name of Portico's begins with `portico_`. What the sites of a gateway share has no space; `limits.SHARED`,
`tls.SESSIONS` and the maps of `http.maps` are that. No word that is used here has two underscores.
"""

from __future__ import annotations

from portico.plan.paths import hosted_files
from portico.plan.web.model import Web

PREFIX = "portico_"


def name_of(web: Web, word: str) -> str:
    """The name of a zone, a log format, an upstream."""
    return spaced(web.space, word)


def variable(web: Web, word: str) -> str:
    """The name of a variable, with its sign."""
    return f"${name_of(web, word)}"


def location(web: Web, word: str) -> str:
    """The name of a named location, with its sign."""
    return f"@{name_of(web, word)}"


def file_of(web: Web, name: str) -> str:
    """A file of the site's own that changes by itself, as nginx finds it from its nginx.conf."""
    return f"{hosted_files(web.name)}/{name}" if web.space else name


def spaced(space: str, word: str) -> str:
    """The name in that space; empty for what sites share, and for a site alone."""
    return f"{PREFIX}{space}__{word}" if space else f"{PREFIX}{word}"
