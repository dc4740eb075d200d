"""Files that the gateway sends itself: the app's static folders, each under its URL, and files at the root."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from portico.place.model import Place
from portico.plan.precompress import precompressed
from portico.plan.subjects import Precompressed
from portico.plan.web.entry.tls import tells_hsts
from portico.plan.web.headers import removed_of_app
from portico.plan.web.literal import is_literal, is_sendable
from portico.site.facts import RootFile, StaticFolder
from portico.site.model import Site

BEFORE = "/-/before"
"""The internal URL of the previous release's folders; no client can request it."""
PRIVATE = "private, no-cache"
"""Cache-Control of files with restricted access."""
UNKEPT = "no-cache, no-store"
"""Cache-Control of a file that may change at any moment (`--dev`): a browser would not see two edits within a second.
"""
FOREVER = "public, max-age=31536000, immutable"
"""Cache-Control of a file whose name changes with its content."""


_ARGUMENT = re.compile(r"[A-Za-z0-9_]+")
"""The names of query arguments that nginx has a variable for."""
_FOR_CACHES = ("cdn-cache-control", "surrogate-control")
"""The first with a name before it, too, such as Cloudflare's."""


class Sent(Struct, frozen=True):
    """The headers and methods of a file."""

    cache_control: str
    """The app's own Cache-Control; empty: the site's `Lives` decide by the file's name."""
    headers: tuple[tuple[str, str], ...]
    """Other headers that the app adds to each of these files."""
    is_asked: bool
    """The app answers methods other than GET and HEAD, because its own code handles these files. Otherwise they are
    refused, except OPTIONS.
    """
    cause: str


class Folder(Struct, frozen=True):
    """A folder of files below `url`, which begins and ends with a slash and has the mount's prefix."""

    url: str
    path: str
    sent: Sent
    has_index: bool
    """A subfolder may have a page (index.html); otherwise it answers 404."""
    fence: str
    """The part of the path below which no link is followed."""
    before: str = ""
    """The same folder of the previous release, whose pages may still request files that only it has; or empty."""
    before_fence: str = ""


class File(Struct, frozen=True):
    """One file at `url`, which has the mount's prefix."""

    url: str
    path: str
    sent: Sent
    fence: str


class Lives(Struct, frozen=True):
    """How long browsers may cache a file. The name decides for files that are not listed: one with a hash is
    FOREVER.
    """

    short: str
    """Cache-Control of a file that may change under its name."""
    forever: tuple[str, ...]
    """URLs that contain a hash of the content, by a build's manifest."""
    changing: tuple[str, ...]
    """URLs that only look hashed."""
    versions: tuple[str, ...]
    """URL arguments that change with the file."""


class Statics(Struct, frozen=True):
    """Every file that the gateway sends without the app.

    `left` are the URLs of folders that the app sends, because the gateway cannot or must not: files that are never
    sent are refused there, too.
    """

    folders: tuple[Folder, ...]
    files: tuple[File, ...]
    lives: Lives
    copies: tuple[Precompressed, ...]
    """Those folders whose files have compressed copies."""
    left: tuple[str, ...]
    may_change: bool
    """Any file may change at any moment, and a client must see it at once (`--dev`)."""
    possible: int
    """All folders that could be served, with those that the gateway cannot read now: table sizes follow from it,
    and so do not change with a folder's rights.
    """

    @property
    def sent(self) -> tuple[Sent, ...]:
        """The settings of each of them."""
        return (*(folder.sent for folder in self.folders), *(file.sent for file in self.files))


def statics(site: Site, place: Place) -> Statics:
    """Every file that the gateway sends without the app."""
    mine = served(site, place)
    left = [*(folder.url for folder in site.static if folder not in mine), *(one.url for one in site.left)]
    folders = tuple(_folder(site, place, folder) for folder in mine)
    return Statics(
        folders=folders,
        files=tuple(_file(site, place, file) for file in site.root_files if _is_ours(site, file)),
        lives=_lives(site),
        copies=() if site.development else _copies(place, folders),
        left=tuple(site.prefix + url for url in left),
        may_change=site.development is not None,
        possible=len(site.static),
    )


def _is_ours(site: Site, file: RootFile) -> bool:
    return is_sendable(file) and not site.goes_elsewhere(file.url)


def served(site: Site, place: Place) -> list[StaticFolder]:
    """The folders that the gateway can read and name; the app serves any other, unless the user asked for it."""
    return [
        folder
        for folder in site.static
        if site.is_wanted(folder)
        or (place.serves(folder.folder) and is_literal(folder.folder) and is_sendable(folder))
    ]


def is_for_caches(name: str) -> bool:
    """Whether only a cache before the site reads that header."""
    return name.lower().endswith(_FOR_CACHES)


def own_headers(site: Site, file: StaticFolder | RootFile) -> tuple[tuple[str, str], ...]:
    """The app's own headers of a file, except those that [headers] removes. If Portico sends
    Strict-Transport-Security, the app's is omitted: a browser uses the first.
    """
    gone = {name.lower() for name in removed_of_app(site)}
    gone |= {"strict-transport-security"} if tells_hsts(site) else set()
    return tuple(pair for pair in file.headers if pair[0].lower() not in gone)


def _folder(site: Site, place: Place, folder: StaticFolder) -> Folder:
    before = site.before.get(folder.url, folder.folder)
    is_other = before != folder.folder and before not in place.withheld
    before = before if is_other and is_literal(before) else ""
    return Folder(
        url=site.prefix + folder.url,
        path=folder.folder,
        sent=_sent(site, folder),
        has_index=folder in site.declared,
        fence=place.fence(_root(folder.folder)),
        before=before,
        before_fence=place.fence(_root(before)) if before else "",
    )


def _root(path: str) -> str:
    return path.rstrip("/") + "/"


def _file(site: Site, place: Place, file: RootFile) -> File:
    fence = place.fence(file.path.rpartition("/")[0] + "/")
    return File(site.prefix + file.url, file.path, _sent(site, file), fence)


def _sent(site: Site, file: StaticFolder | RootFile) -> Sent:
    said = UNKEPT if site.development else file.cache_control
    return Sent(said, own_headers(site, file), file.is_asked, file.origin)


def _lives(site: Site) -> Lives:
    seconds = site.facts.static_max_age
    return Lives(
        short=f"public, max-age={seconds}" if seconds else "no-cache",
        forever=_urls(site, site.hashed),
        changing=_urls(site, site.unhashed),
        versions=tuple(name for name in site.facts.static_versions if _ARGUMENT.fullmatch(name)),
    )


def _urls(site: Site, urls: Iterable[str]) -> tuple[str, ...]:
    return tuple(site.prefix + url for url in sorted(urls) if is_literal(url))


def _copies(place: Place, folders: Iterable[Folder]) -> tuple[Precompressed, ...]:
    now = {folder.url: folder.path for folder in folders}
    before = {BEFORE + folder.url: folder.before for folder in folders if folder.before}
    return precompressed(place, now | before)
