"""`portico password`: writes a user and a password hash for `users` of [access]."""

from __future__ import annotations

import secrets
import stat
import sys
from pathlib import Path

import click

from portico import atomic
from portico.cli import output
from portico.cli.completion import files
from portico.errors import PorticoError, Problem, UsageError
from portico.site.access.sha512_crypt import hashed
from portico.site.access.users import LINE, foreign

_LEAST = 8
_GENERATED_BYTES = 16
_LONGEST = 256
_ANOTHER_FILE = "nothing was written; name a file of users, which you may write, or one that is not there yet"


@click.command("password")
@click.argument("name")
@click.option(
    "--file",
    "file",
    metavar="FILE",
    shell_complete=files,
    help="Put the line into this file, in the place of an earlier one.",
)
@click.option("--remove", is_flag=True, help="Take the user out of FILE.")
@click.option("--generate", is_flag=True, help="Make a password and print it, once.")
def command(name: str, file: str | None, remove: bool, generate: bool) -> None:
    """Hash a password for NAME, as every nginx can verify it (sha512-crypt).

    The password is asked for twice, or read as one line from standard input. Without --file, the line is
    printed. A running site reads the file again at portico reload.
    """
    if not LINE.fullmatch(f"{name}:x"):
        raise UsageError(
            Problem("NAME", f"{name!r} cannot be a name", "expected no colon, and no blank or # first")
        )
    if remove:
        if not file or generate:
            raise UsageError(Problem("--remove", "needs --file FILE, and nothing else"))
        if not _put(Path(file), name, None):
            raise PorticoError(Problem(file, f'has no user "{name}"'))
        output.result(f"{name} is no longer in {file}")
        return
    password = secrets.token_urlsafe(_GENERATED_BYTES) if generate else _asked(name)
    line = f"{name}:{hashed(password)}"
    if file is None:
        output.result(line)
    else:
        _put(Path(file), name, line)
        output.result(f"{name} is in {file}")
    if generate:
        output.say(f"the password: {password}")


def _asked(name: str) -> str:
    if sys.stdin.isatty():
        password = click.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not _LEAST <= len(password) <= _LONGEST or not password.isprintable():
        hint = f"expected {_LEAST} to {_LONGEST} printable characters, or --generate"
        raise UsageError(Problem("password", "cannot be used", hint))
    return str(password)


def _put(path: Path, name: str, line: str | None) -> bool:
    """Replace the user's line in the file, or add it. The file keeps its mode. Raises PorticoError."""
    try:
        status = path.stat() if path.exists() else None
        before = path.read_text("utf-8").splitlines() if status else []
        kept = [one for one in before if not one.startswith(f"{name}:")]
        if number := foreign(before):
            raise PorticoError(Problem(str(path), f"line {number} is not name:hash", _ANOTHER_FILE))
        made = [*kept, *([line] if line else [])]
        mode = stat.S_IMODE(status.st_mode) if status else 0o600
        owner = (status.st_uid, status.st_gid) if status else None
        atomic.write(path, "".join(f"{one}\n" for one in made).encode(), mode, owner)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise PorticoError(Problem(str(path), f"{why}", _ANOTHER_FILE)) from None
    return len(kept) < len(before)
