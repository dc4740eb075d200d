"""Properties of a secret key, without the key: it never leaves the process that imported the app.

They are its length, how hard it is to guess, the file in git that contains it, and a digest with the salt of one
check: two processes with the same key give the same digest, which reveals nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

NAMES = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "JWT_SECRET_KEY",
    "WTF_CSRF_SECRET_KEY",
    "SECURITY_PASSWORD_SALT",
)
"""Keys of Flask's and Quart's config, with those of well-known extensions."""
_KNOWN = frozenset(
    """
    dev development secret secret-key secret_key secretkey supersecret super-secret super-secret-key mysecret
    mysecretkey my-secret-key my_secret_key my-secret-pw changeme change-me change_me changethis change-this
    please-change-me your-secret-key your_secret_key your-secret-key-here yoursecretkey key test testing password
    admin default insecure flask django 12345 123456 itsasecret it's-a-secret seekrit you-will-never-guess
    hard-to-guess-string hard_to_guess_string thisisasecret top-secret topsecret none
    """.split()  # noqa: SIM905
)
"""Values from tutorials and templates: the first that an attacker tries."""
_KNOWN_BEGINNING = "django-insecure-"
"""The prefix that `django-admin startproject` writes, for development only."""
_WORDS = ("secret", "change", "password", "your", "example", "insecure", "default", "develop", "12345")
_SHORTEST, _LONG, _FEW = 16, 40, 8
_LITERAL = 8
"""Shorter keys occur in files by chance."""
_MOST_FILES, _MOST_BYTES = 5000, 1 << 20
_GIT_SECONDS = 20


def properties(keys: Iterable[tuple[str, Any]], directory: Path, salt: str) -> list[dict[str, Any]]:
    """The properties of each key by its name; `salt` belongs to one check. Values that are not text are left out."""
    found = [(name, data) for name, value in keys for data in _texts(value)]
    files = _tracked(directory) if found else []
    return [
        {
            "name": name,
            "length": len(data),
            "strength": strength(data),
            "digest": hmac.new(salt.encode(), data, hashlib.sha256).hexdigest(),
            "where": _where(data, files, directory),
        }
        for name, data in found
    ]


def strength(key: bytes) -> str:
    """`known`, `short`, `guessable` or `good`."""
    text = key.decode("latin-1").lower()
    if text in _KNOWN or text.startswith(_KNOWN_BEGINNING):
        return "known"
    if len(key) < _SHORTEST:
        return "short"
    has_words = len(key) < _LONG and any(word in text for word in _WORDS)
    return "guessable" if has_words or len(set(key)) < _FEW else "good"


def _texts(value: Any) -> Iterator[bytes]:
    if isinstance(value, str):
        yield value.encode("utf-8", "surrogateescape")
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _tracked(directory: Path) -> list[Path]:
    """The files below it that git tracks; none without git or a repository."""
    if not shutil.which("git"):
        return []
    # A repository's own configuration may name programs to run.
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(directory), "ls-files", "-z"]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_GIT_SECONDS, stdin=subprocess.DEVNULL, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    names = done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return [directory / name for name in names[:_MOST_FILES]]


def _where(key: bytes, files: list[Path], directory: Path) -> str:
    """`settings.py:12`, the first place that contains it literally."""
    if len(key) < _LITERAL:
        return ""
    forms = {key, repr(key)[2:-1].encode(), repr(key.decode("utf-8", "replace"))[1:-1].encode()}
    for path in files:
        text = _content(path)
        for form in forms:
            if (at := text.find(form)) >= 0:
                line = text.count(b"\n", 0, at) + 1
                return f"{path.relative_to(directory)}:{line}"
    return ""


def _content(path: Path) -> bytes:
    try:
        return b"" if path.is_symlink() or path.stat().st_size > _MOST_BYTES else path.read_bytes()
    except OSError:
        return b""
