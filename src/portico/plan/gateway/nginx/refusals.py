"""What is never sent of a static folder, where the app would: under another spelling of its URL, or for nginx.

Werkzeug takes several slashes at the beginning of a path for one, nginx does not: `//static/.env` is no path of nginx's
folder and the app's own static view would send the file. Every other spelling is the same path to nginx already.
"""

from __future__ import annotations

from collections.abc import Iterable

from portico.plan.gateway.nginx.conf import Directive, block, directive
from portico.plan.web.model import Web
from portico.site.fingerprints import SOURCES
from portico.site.pattern import escape


def refused_slashes(web: Web) -> list[Directive]:
    """In the location of paths that begin with several slashes: what nginx's own folders refuse."""
    return _refused(web.prefix, [folder.url for folder in web.statics.folders], "//+")


def refused_of_app(web: Web) -> list[Directive]:
    """At server level: the same of the folders that the app sends, because nginx cannot or must not."""
    return _refused(web.prefix, web.statics.left, "/+")


def _refused(prefix: str, urls: Iterable[str], slashes: str) -> list[Directive]:
    why = "never sent, however the path is spelled: dotfiles, Python and templates, what editors leave behind"
    return [
        block(
            "location", "~*", _pattern(prefix, url, slashes), why=why,
            of=[directive("return", 404, why="as if it were not there")],
        )
        for url in sorted({url.removeprefix(prefix) for url in urls} - {"/"})
    ]  # fmt: skip


def _pattern(prefix: str, url: str, slashes: str) -> str:
    """A slash at the end is none to the app's view."""
    start = f"^{escape(prefix)}{slashes}{escape(url.strip('/'))}/"
    return rf"{start}(?:(?:.*/)?\.|.*(?:~|\.(?:{SOURCES}))/*$)"
