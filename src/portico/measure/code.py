"""The code of another commit or directory, to be measured beside the one that is here."""

from __future__ import annotations

import os
import pwd
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from portico.errors import Problem, UsageError
from portico.place.owner import as_user
from portico.site.variables import without

_MADE = ("__pycache__", ".git", ".pytest_cache", ".mypy_cache", ".ruff_cache")
"""Of what git does not track, what no app reads."""
_SECONDS = 60
_EXPECTED = "expected a directory, or a commit, tag or branch of the app's repository"
_LINK = """[ -e "$1/$2" ] || { mkdir -p "$(dirname "$1/$2")" && ln -s "$0/$2" "$1/$2"; }"""
"""$0 is the directory here, $1 the copy, $2 a name."""


@contextmanager
def code_of(wanted: str, home: Path, user: str, private: Path) -> Iterator[Path]:
    """The directory of that code: a directory as it is, or a commit of the repository around `home`, whose files are
    written below `private`. Raises UsageError.

    Files that git does not track (.env, instance/, .venv) are those of `home`, by links: without them an app often
    does not start, and both sides share the database anyway. The repository is only read.

    `user` does all of it: what git says of a repository is what its owner wants it to say.
    """
    if Path(wanted).is_dir():
        yield Path(wanted).resolve()
        return
    if wanted.startswith("-"):  # git would take it for an option
        raise UsageError(Problem("--against", f'"{wanted}" is neither a directory nor a commit', _EXPECTED))
    made = _empty(private, home.name, user)
    _unpack(wanted, home, user, made)
    words = ("git", "ls-files", "-z", "--others", "--directory", "--no-empty-directory")
    names = os.fsdecode(_run(wanted, home, user, *words)).split("\0")
    links = [name.rstrip("/") for name in names if name.strip("./") and not set(Path(name).parts) & {*_MADE}]
    _run(wanted, home, user, "xargs", "-0", "-r", "-n", "1", "sh", "-c", _LINK, str(home), str(made),
         given=os.fsencode("\0".join(links)))  # fmt: skip
    yield made


def _empty(private: Path, name: str, user: str) -> Path:
    """A new directory of that user, which no other finds: the gateway's user must reach its static files."""
    made = private / secrets.token_hex(16) / name
    made.mkdir(parents=True)
    if user:
        entry = pwd.getpwnam(user)
        os.chown(made, entry.pw_uid, entry.pw_gid)
    return made


def _unpack(wanted: str, home: Path, user: str, made: Path) -> None:
    """Raises UsageError if git does not know the commit, or there is no git."""
    with _asked(wanted):
        archive = ("git", "archive", "--format=tar", wanted)
        with subprocess.Popen(
            archive, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **_as(user, home)
        ) as git:
            unpack = ("tar", "-x", "-f", "-", "--no-same-owner", "-C", str(made))
            done = subprocess.run(
                unpack,
                stdin=git.stdout,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                **_as(user, home),
            )
            assert git.stdout is not None
            assert git.stderr is not None
            git.stdout.close()  # git ends if nobody reads any more
            said = git.stderr.read()
        _refuse_failed(wanted, git.returncode, said)
        _refuse_failed(wanted, done.returncode, done.stderr)


def _run(wanted: str, home: Path, user: str, *words: str, given: bytes = b"") -> bytes:
    """Raises UsageError if it fails."""
    with _asked(wanted):
        done = subprocess.run(
            words, input=given, capture_output=True, timeout=_SECONDS, check=False, **_as(user, home)
        )
    _refuse_failed(wanted, done.returncode, done.stderr)
    return bytes(done.stdout)


def _as(user: str, home: Path) -> dict[str, Any]:
    """For Popen: in `home`, as that user, away from the terminal."""
    return {"cwd": home, "start_new_session": True, **as_user(user, without(os.environ))}


@contextmanager
def _asked(wanted: str) -> Iterator[None]:
    try:
        yield
    except (OSError, subprocess.TimeoutExpired) as error:
        what = f'"{wanted}" is no directory, and its commit cannot be had: {error}'
        raise UsageError(Problem("--against", what, _EXPECTED)) from None


def _refuse_failed(wanted: str, code: int, said: bytes) -> None:
    if code:
        what, quote = (
            f'"{wanted}" is neither a directory nor a commit',
            said.decode("utf-8", "replace").strip(),
        )
        raise UsageError(Problem("--against", what, _EXPECTED, quote))
