"""`portico exec`: runs a command beside the app."""

from __future__ import annotations

import os
import shlex
import signal
from typing import NoReturn

import click

from portico.cli.completion import files
from portico.errors import Problem, UsageError
from portico.project.execute import surroundings

_SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("exec", context_settings=_SETTINGS)
@click.option("--config", metavar="FILE", shell_complete=files, help="A portico.toml elsewhere.")
@click.argument("words", metavar="COMMAND [ARGUMENT]...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(config: str | None, words: tuple[str, ...]) -> NoReturn:
    """Run COMMAND as the app would: in its directory, with its variables ([env], env_file), as its user.

    For migrations, shells and jobs: portico exec flask shell. Programs beside the app's Python are found first.
    The site need not run. The exit code is the command's.
    """
    found = surroundings(config)
    if found.ids:
        uid, gid, groups = found.ids
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # root's own open files are not for another user
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python itself
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.chdir(found.directory)
        os.execvpe(words[0], words, dict(found.environ))  # noqa: S606  no shell is wanted
    except OSError as error:
        what = f"{shlex.join(words)} cannot be started: {(error.strerror or '').lower()}"
        raise UsageError(Problem("exec", what, f"is it installed? PATH is {found.environ['PATH']}")) from None
