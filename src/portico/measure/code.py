"""The code of another commit or directory, to be measured beside the one that is here."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portico.errors import Problem, UsageError
from portico.place.owner import as_user

_MADE = ("__pycache__", ".git", ".pytest_cache", ".mypy_cache", ".ruff_cache")
"""Of what git does not track, what no app reads."""
_SECONDS = 60


@contextmanager
def code_of(wanted: str, home: Path, user: str, private: Path) -> Iterator[Path]:
    """The directory of that code: a directory as it is, or a commit of the repository around `home`, whose files are
    written below `private`. Raises UsageError.

    Files that git does not track (.env, instance/, .venv) are those of `home`, by links: without them an app often
    does not start, and both sides share the database anyway. The repository is only read.
    """
    if Path(wanted).is_dir():
        yield Path(wanted).resolve()
        return
    made = private / "code" / home.name
    made.mkdir(parents=True)
    with tarfile.open(
        fileobj=io.BytesIO(_git(home, user, wanted, "archive", "--format=tar", wanted))
    ) as archive:
        archive.extractall(made, filter="data")
    for name in _untracked(home, user, wanted):
        if not (made / name).exists():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).symlink_to(home / name)
    if os.geteuid() == 0:
        _give(made.parent, home)
    yield made


def _untracked(home: Path, user: str, wanted: str) -> list[str]:
    words = ("ls-files", "-z", "--others", "--directory", "--no-empty-directory")
    names = os.fsdecode(_git(home, user, wanted, *words)).split("\0")
    return [name.rstrip("/") for name in names if name.strip("./") and not set(Path(name).parts) & {*_MADE}]


def _give(made: Path, home: Path) -> None:
    """The copy belongs to whom the code here belongs."""
    owner = home.stat()
    for path in (made, *made.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _git(home: Path, user: str, wanted: str, *words: str) -> bytes:
    """Raises UsageError if git does not know the commit, or is not there."""
    expected = "expected a directory, or a commit, tag or branch of the app's repository"
    if wanted.startswith("-"):  # git would take it for an option
        raise UsageError(Problem("--against", f'"{wanted}" is neither a directory nor a commit', expected))
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=home,
            check=False,
            capture_output=True,
            timeout=_SECONDS,
            **as_user(user, os.environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            Problem("--against", f'"{wanted}" is no directory, and git cannot be asked: {error}', expected)
        ) from None
    if done.returncode:
        quote = done.stderr.decode("utf-8", "replace").strip()
        raise UsageError(
            Problem("--against", f'"{wanted}" is neither a directory nor a commit', expected, quote)
        )
    return bytes(done.stdout)
