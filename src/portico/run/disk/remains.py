"""The remains of former sites: their runtime and state directories, found by their common name."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from portico.errors import PorticoError, Problem
from portico.place.probe import parents
from portico.run.disk import lock

_KEY = re.compile(r"(?P<key>.+-[0-9a-f]{6})(\.app|\.uploads)?")
"""`NAME-123456`, and the app's own directories beside a state directory."""
_CERTIFICATES = "certificates"
_MARKS = {
    "access.log",
    "error.log",
    "bodies",
    "facts.json",
    "conf",
    "conf-1",
    "slow",
    "trace",
    "workers",
    lock.NAME,
}
"""The entries that a site makes in its directories; some exist after any stop."""


class Leaving(Struct, frozen=True):
    """`used` is the last change of any entry, in seconds since 1970."""

    key: str
    directories: tuple[str, ...]
    used: float
    bytes: int
    has_certificate: bool


def found() -> list[Leaving]:
    """The remains of this user, the longest unused first."""
    by_key: dict[str, list[Path]] = {}
    for parent in parents():
        for path in _directories(parent):
            if (
                (match := _KEY.fullmatch(path.name))
                and _is_ours(path)
                and _is_a_site_s(parent / match["key"])
            ):
                by_key.setdefault(match["key"], []).append(path)
    used = _in_use() if by_key else frozenset()
    made = [
        _leaving(key, paths)
        for key, paths in by_key.items()
        if not _runs(key) and not used.intersection(paths)
    ]
    return sorted(made, key=lambda one: one.used)


def remove(one: Leaving) -> None:
    """Remove all of it. Raises PorticoError if the site has been started since, or something cannot be removed."""
    if _runs(one.key):
        raise PorticoError(Problem(one.key, "runs", "stop it first: portico stop"))
    for directory in one.directories:
        try:
            shutil.rmtree(directory)
        except OSError as error:
            what = f"cannot be removed: {error.strerror}"
            raise PorticoError(Problem(str(error.filename or directory), what)) from None


def _runs(key: str) -> bool:
    return any(lock.running(str(parent / key)) is not None for parent in parents())


def _in_use() -> frozenset[Path]:
    """Directories with an open file: a site with another runtime directory may log there."""
    held = set[Path]()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            held.update(link.readlink().parents)
    return frozenset(held)


def _directories(parent: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return


def _is_ours(path: Path) -> bool:
    """Root may remove what it gave to the app's user; other users only their own files."""
    return os.geteuid() in (0, path.stat().st_uid)


def _is_a_site_s(path: Path) -> bool:
    """Whether a site made it: other programs may use such names in a parent directory that the user chose."""
    if re.fullmatch(r"portico(-\d+)?", path.parent.name):
        return True
    with suppress(OSError):
        names = {each.name for each in path.iterdir()}
        return not names or bool(names & _MARKS)
    return False


def _leaving(key: str, paths: list[Path]) -> Leaving:
    used, size = 0.0, 0
    for path in paths:
        used = max(used, path.stat().st_mtime)
        for directory, _, names in os.walk(path):
            for name in names:
                try:
                    entry = os.lstat(os.path.join(directory, name))  # noqa: PTH118  a hundred thousand files of a cache
                except OSError:
                    continue
                used, size = max(used, entry.st_mtime), size + entry.st_blocks * 512
    has = any(next((path / _CERTIFICATES).glob("*"), None) is not None for path in paths)
    return Leaving(key, tuple(map(str, paths)), used, size, has)
