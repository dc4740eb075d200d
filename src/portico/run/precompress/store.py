"""Results by content: the same content is never compressed twice, whatever the name of the file."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from portico.place.untrusted import opened
from portico.plan.precompress import CODINGS

_KEPT_DAYS = 14
_RULES = b"1"
"""Part of every key: the number changes with the compression settings."""


class Store:
    """A directory with one file per content and coding; an empty file says that the coding does not help."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o750, exist_ok=True)

    def get(self, key: str) -> dict[str, bytes] | None:
        """The results for that content, None if some are missing."""
        found = {}
        for coding in CODINGS:
            path = self._path(key, coding)
            try:
                with open(path, "rb", opener=opened) as file:
                    found[coding] = file.read()
                os.utime(path)  # it is in use: see `prune`
            except OSError:
                return None
        return found

    def put(self, key: str, made: dict[str, bytes]) -> None:
        """Store the results. Raises OSError."""
        for coding, content in made.items():
            write(self._path(key, coding), content)

    def prune(self) -> None:
        """Remove results that no site has used for two weeks: a rollback within that time finds its copies."""
        oldest = time.time() - _KEPT_DAYS * 86400
        for path in self._directory.iterdir():
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
            except OSError:
                continue

    def _path(self, key: str, coding: str) -> Path:
        return self._directory / f"{key}.{coding}"


def key(content: bytes) -> str:
    """The key of a content."""
    return hashlib.sha256(_RULES + content).hexdigest()


def write(path: Path, content: bytes, times: tuple[int, int] | None = None) -> None:
    """Write a file atomically, readable for the gateway, with these times in nanoseconds. Raises OSError."""
    draft = path.with_name(f".{path.name[:100]}.{os.getpid()}.{hash(path.name) & 0xFFFF:x}.tmp")
    try:
        draft.write_bytes(content)
        draft.chmod(0o644)
        if times:
            os.utime(draft, ns=times)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
