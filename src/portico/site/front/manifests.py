"""Build manifests: which files of a static folder have a hash in their names, and which do not.

Vite's `.vite/manifest.json`, webpack's `manifest.json` and `asset-manifest.json`, Django's `staticfiles.json`,
Flask-Static-Digest's `cache_manifest.json`; in the folder itself or one level below.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct

from portico import decoding
from portico.reading import ordinary
from portico.site.facts import StaticFolder
from portico.site.front.fingerprints import is_fingerprinted

_NAMES = (
    ".vite/manifest.json",
    "manifest.json",
    "asset-manifest.json",
    "assets-manifest.json",
    "staticfiles.json",
    "cache_manifest.json",
)
_MOST_BYTES = 8 << 20
_MOST_FILES = 20_000
_LONGEST_NAME = 200


class Manifest(Struct, frozen=True):
    """Paths below the folder: `hashed` files never change, `plain` files do, whatever their names look like."""

    hashed: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()


def read(folder: StaticFolder) -> Manifest:
    """The facts of all manifests in that folder; an unreadable one adds none."""
    hashed, plain = set[str](), set[str]()
    root = Path(folder.folder)
    for file in _manifests(root):
        base = file.parent.parent if file.parent.name == ".vite" else file.parent
        for source, made in _pairs(_content(file)):
            path = _below(root, base, made, folder.url)
            if path is None or len(hashed) + len(plain) >= _MOST_FILES:
                continue
            if is_fingerprinted(made, source):
                hashed.add(path)
                original = _below(root, base, source, folder.url)
                plain |= {original} if original and original != path else set()
    return Manifest(frozenset(hashed), frozenset(plain - hashed))


def _manifests(root: Path) -> Iterator[Path]:
    try:
        folders = [root, *sorted(path for path in root.iterdir() if path.is_dir() and path.name != ".vite")]
    except OSError:
        return
    for folder in folders[:200]:
        yield from (folder / name for name in _NAMES if (folder / name).is_file())


def _content(file: Path) -> Any:
    try:
        if file.stat().st_size > _MOST_BYTES:
            return None
        return decoding.fields(ordinary(file))
    except (OSError, ValueError):
        return None


def _pairs(content: Any) -> Iterator[tuple[str, str]]:
    """Pairs of a source file and the file built from it, in any of the formats."""
    if not isinstance(content, dict):
        return
    for inner in ("paths", "files", "latest"):  # Django, create-react-app, Phoenix and its likes
        if isinstance(content.get(inner), dict):
            yield from _pairs(content[inner])
    for source, made in content.items():
        if isinstance(made, str):
            yield str(source), made
        elif isinstance(made, dict) and isinstance(made.get("file"), str):  # Vite
            yield str(source), made["file"]
            for more in ("css", "assets"):
                yield from (("", name) for name in made.get(more) or () if isinstance(name, str))


def _below(root: Path, base: Path, name: str, url: str) -> str | None:
    """The path below the folder's root of a file in a manifest, if there is one."""
    if name.startswith(url):  # webpack's publicPath: a whole URL
        base = root
    name = name.removeprefix(url).removeprefix("./").lstrip("/")
    if not name or len(name) > _LONGEST_NAME or ".." in PurePosixPath(name).parts:
        return None
    try:
        return (base / name).relative_to(root).as_posix() if (base / name).is_file() else None
    except (OSError, ValueError):
        return None
