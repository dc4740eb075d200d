"""Files nginx serves itself: the app's static folders, each under its URL."""

from __future__ import annotations

import re

from portico.place.model import Place
from portico.plan.nginx.conf import Directive, block, directive, is_literal, literal
from portico.plan.nginx.pages import PREFIX, error_pages
from portico.site.model import Site, StaticFolder
from portico.site.pattern import head, is_fixed

_BEFORE = "/-/before"
_TEXT = (
    "text/css",
    "text/javascript",
    "text/plain",
    "text/csv",
    "text/markdown",
    "text/xml",
    "image/svg+xml",
)


def statics(site: Site, place: Place, headers: list[Directive]) -> list[Directive]:
    """One location a folder, two after a release from elsewhere. `headers` are those every location repeats."""
    return [made for folder in served(site, place) for made in _statics(site, folder, headers)]


def served(site: Site, place: Place) -> list[StaticFolder]:
    """The folders nginx can read and name; any other is left to the app, unless the user asked for it."""
    return [
        folder
        for folder in site.static
        if folder in site.declared or (folder.folder not in place.unreadable and is_literal(folder.folder))
    ]


def routes_inside(site: Site, place: Place) -> list[tuple[str, str]]:
    """Routes of the app that lie under a static URL, as (nginx modifier, path): those stay the app's.

    A rule without converters is one path; one with converters keeps everything up to the first of them.
    """
    found = {}
    for folder in served(site, place):
        for route in site.facts.routes:
            fixed, _, converter = route.rule.partition("<")
            if route.pattern:
                fixed, converter = head(route.pattern), "" if is_fixed(route.pattern) else route.pattern
            is_files = route.endpoint.rpartition(".")[2] == "static" or fixed == folder.url
            if fixed.startswith(folder.url) and not is_files:
                found[fixed] = "^~" if converter else "="
    return [(modifier, path) for path, modifier in sorted(found.items())]


def _statics(site: Site, folder: StaticFolder, headers: list[Directive]) -> list[Directive]:
    url, before = site.prefix + folder.url, site.before.get(folder.url, folder.folder)
    why = (
        "nginx sends these files itself, no worker is woken; ^~ keeps any pattern from taking them away, "
        "and both slashes keep /static../ from reading a directory up"
    )
    if before == folder.folder or not is_literal(before):
        return [_location(folder, url, folder.folder, why, headers, error_pages(404))]
    missing = directive(
        "error_page", 404, "=", f"{_BEFORE}$uri",
        why="a page of the release before may still ask for a file that only that release has", cause="reload --path",
    )  # fmt: skip
    internal = directive("internal", why="asked for by the location above, never by a client")
    return [
        _location(folder, url, folder.folder, why, headers, [missing]),
        _location(
            folder, _BEFORE + url, before, "the same folder of the release before", headers,
            [internal, *error_pages(404)],
        ),
    ]  # fmt: skip


def _location(
    folder: StaticFolder, url: str, path: str, why: str, headers: list[Directive], missing: list[Directive]
) -> Directive:
    root = literal(path, f"{folder.origin}").rstrip("/") + "/"
    return block(
        "location", "^~", url,
        why=why,
        cause=folder.origin,
        of=[
            directive("alias", root, why="where the files are", cause=folder.origin),
            directive(
                "disable_symlinks", "on", f"from={root}",
                why="links are not followed, so that none can lead out of the folder", cause=folder.origin,
            ),
            directive("charset", "utf-8", why="text files are UTF-8 and browsers are told so"),
            directive("charset_types", *_TEXT, why="which files are text; text/html always is"),
            *headers,
            directive(
                "add_header", "Cache-Control", "no-cache",
                why="browsers may keep the file and ask whether it changed: an answer of 304, without the bytes",
            ),
            directive(
                "add_header", "X-Content-Type-Options", "nosniff", "always",
                why="a file is what its type says, whatever its bytes look like",
            ),
            directive("log_not_found", "off", why="a missing file is in the access log already"),
            directive(
                "error_page", 403, "=404", f"{PREFIX}404.$portico_page",
                why="a folder, a link or a file that may not be read looks like one that is not there",
            ),
            *missing,
            block(
                "location", "~", rf"^{re.escape(url)}(.*/)?\.",
                why="dotfiles (.git, .env) are never sent",
                of=[directive("return", 404, why="as if it were not there")],
            ),
        ],
    )  # fmt: skip
