"""What a command needs to run beside the app: its directory, its environment, its user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from portico.errors import Problem, UsageError
from portico.place.owner import as_user
from portico.place.tools import with_programs, without_tools
from portico.project import asked
from portico.project.gather import declared_by
from portico.site.variables import without


class Surroundings(Struct, frozen=True):
    """`user` is the app's user if it is not the current one, else empty; `ids` are its uid, its gid and its groups."""

    directory: Path
    user: str
    environ: Mapping[str, str]
    ids: tuple[int, int, tuple[int, ...]] | None


def surroundings(config: str | None) -> Surroundings:
    """Of the site here, or of that file. The app is not asked. Raises UsageError.

    Root gives no command of the app's user its own terminal: who controls that command could type into it.
    """
    given = declared_by(None, config, {}, "", "", serves=True, looks=False)
    user = given.runner.name
    if user and _has_terminal():
        what = f"the command would run as '{user}' in root's terminal, and could type into it"
        raise UsageError(
            Problem("exec", what, f"sudo -u {user} portico exec ..., or without a terminal: setsid -w")
        )
    inherited = with_programs(without_tools(without(os.environ)), given.python.program)
    named = {"FLASK_APP": str(given.options.app)} if given.options.app else {}  # others do not read it
    own = {**named, **asked.variables(given)}
    become = as_user(user, inherited, own)
    environ = become.get("env", {**inherited, **own})
    ids = (become["user"], become["group"], tuple(become["extra_groups"])) if user else None
    return Surroundings(given.directory, user, {**environ, "PWD": str(given.directory)}, ids)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True
