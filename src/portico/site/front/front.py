"""What a front end has outside of its static folders: files at the root, a single-page app, a build's manifest."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from portico.site.facts import RootFile, StaticFolder
from portico.site.front import manifests
from portico.site.front.fingerprints import SOURCES
from portico.site.front.routes import claims
from portico.site.model import Site

_SOURCE = re.compile(rf".*(?:~|\.(?:{SOURCES}))")
_AT_ROOT = ("favicon.ico", "robots.txt")
"""What browsers and robots request at the root, whatever the page says."""
_URL_NAME = re.compile(r"[^.$\x00-\x1f\x7f-\x9f\ud800-\udfff][^$\x00-\x1f\x7f-\x9f\ud800-\udfff]*")
"""Not hidden, and only characters that an nginx location can contain."""
_INDEX = "index.html"
_KNOWS_ROUTES = ("flask", "django", "pyramid")


def at_root(site: Site, spa: str) -> Site:
    """The site with its single-page app and with the files that browsers request at the root."""
    files = {file.url: file for file in (*_icons(site), *_spa_files(spa))}
    unclaimed = [
        file
        for file in files.values()
        if not claims(site.facts.routes, file.url) and os.access(file.path, os.R_OK)
    ]
    return replace(site, spa=spa, spa_folders=tuple(_spa_folders(spa)), root_files=tuple(unclaimed))


def with_manifests(site: Site) -> Site:
    """The site with the facts of the manifests in its folders."""
    hashed, plain = set[str](), set[str]()
    for folder in site.static:
        said = manifests.read(folder)
        hashed |= {folder.url + name for name in said.hashed}
        plain |= {folder.url + name for name in said.plain}
    if site.spa:
        said = manifests.read(StaticFolder("/", site.spa, "spa"))
        hashed |= {f"/{name}" for name in said.hashed}
        plain |= {f"/{name}" for name in said.plain}
    return replace(site, hashed=frozenset(hashed), unhashed=frozenset(plain - hashed))


def _icons(site: Site) -> Iterator[RootFile]:
    """Icons from the first static folder that has one, if the app certainly has no such route."""
    if site.facts.kind not in _KNOWS_ROUTES or not site.facts.routes:
        return
    for name in _AT_ROOT:
        folder = next((folder for folder in site.facts.static if _is_file(folder.folder, name)), None)
        if folder:
            path = f"{folder.folder.rstrip('/')}/{name}"
            yield RootFile(
                f"/{name}", path, folder.origin, folder.headers, folder.cache_control, folder.is_asked
            )


def _spa_files(spa: str) -> Iterator[RootFile]:
    for name in _names(spa):
        if name != _INDEX and not _SOURCE.fullmatch(name) and _is_file(spa, name):
            yield RootFile(f"/{name}", f"{spa.rstrip('/')}/{name}", "spa")


def _spa_folders(spa: str) -> Iterator[StaticFolder]:
    for name in _names(spa):
        path = Path(spa, name)
        if path.is_dir() and not path.is_symlink():
            yield StaticFolder(f"/{name}/", str(path), "spa")


def _names(spa: str) -> list[str]:
    """The names in the directory that a location can contain."""
    try:
        return (
            sorted(path.name for path in Path(spa).iterdir() if _URL_NAME.fullmatch(path.name)) if spa else []
        )
    except OSError:
        return []


def _is_file(folder: str, name: str) -> bool:
    path = Path(folder, name)
    try:
        return path.is_file() and not path.is_symlink()
    except OSError:
        return False
