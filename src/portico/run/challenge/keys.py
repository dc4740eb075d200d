"""The two keys that sign passes and puzzles, so that passes stay valid after a rotation. They are secret."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from string import ascii_lowercase

import msgspec

from portico import atomic
from portico.place import untrusted
from portico.plan.files import File, Line
from portico.plan.subjects import PlannedChallenge

LIFE_SECONDS = 30 * 86400.0
"""The lifetime of a key. A pass is valid for half a day, and its key is kept for as long again."""
_SECRET_BYTES = 32


class Key(msgspec.Struct, frozen=True):
    """`name` is the letter that begins each pass; `made` is a Unix time."""

    name: str
    secret: str
    made: float


class Keys(msgspec.Struct, frozen=True):
    """`current` signs new passes; passes signed with `before` are valid, too."""

    current: Key
    before: Key | None = None

    @property
    def all(self) -> tuple[Key, ...]:
        return (self.current, self.before) if self.before else (self.current,)

    def is_due(self, now: float) -> bool:
        """Whether a new key is due; also if the clock was set back to before the current one."""
        return not 0 <= now - self.current.made < LIFE_SECONDS

    def file(self) -> File:
        """The rows of a map, for the gateway to include."""
        rows = tuple(Line(f"~^{key.name} {key.secret};") for key in self.all)
        return File(PlannedChallenge.FILE, rows, 0o600, is_secret=True)


def kept(path: str, now: float) -> Keys:
    """The keys in the file; new ones if it has none, or another user may have read them. Raises OSError."""
    found = _read(Path(path))
    if found is not None and not found.is_due(now):
        return found
    made = Keys(
        _made(found.current.name if found else ascii_lowercase[-1], now), found.current if found else None
    )
    atomic.write(Path(path), msgspec.json.encode(made))
    return made


def _made(before: str, now: float) -> Key:
    name = ascii_lowercase[(ascii_lowercase.find(before) + 1) % len(ascii_lowercase)]
    return Key(name, secrets.token_hex(_SECRET_BYTES), now)


def _read(path: Path) -> Keys | None:
    try:
        with open(path, "rb", opener=untrusted.opened) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
                return None
            keys = msgspec.json.decode(file.read(1 << 12), type=Keys)
    except (OSError, ValueError):
        return None
    return keys if all(_is_sound(key) for key in keys.all) else None


def _is_sound(key: Key) -> bool:
    """The gateway includes these values: a damaged file must not become directives."""
    has_name = len(key.name) == 1 and key.name in ascii_lowercase
    return has_name and len(key.secret) == 2 * _SECRET_BYTES and set(key.secret) <= set("0123456789abcdef")
