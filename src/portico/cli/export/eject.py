"""`portico export nginx` and `apache`: files that serve the site without Portico."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from portico.cli import output
from portico.cli.completion import folders
from portico.cli.export.give import write_new
from portico.cli.flags import given, site_arguments_but
from portico.project.gather import gather
from portico.site.variables import forget


def eject_command(name: str, title: str, flags: Mapping[str, str]) -> click.Command:
    """The command for one gateway; `flags` choose it, unless the user's own say more."""

    @click.command(name, help=_HELP.format(title=title))
    @click.option(
        "--write",
        required=True,
        metavar="DIR",
        shell_complete=folders,
        help="The directory in which the files will run.",
    )
    @site_arguments_but("gateway")
    def command(app: str | None, config: str | None, write: str, **said: Any) -> None:
        _write(app, config, Path(write).absolute(), {**flags, **given(said)})

    return command


_HELP = """Write files that serve APP without Portico: {title}, uWSGI, units, a start script.

Every line of the configuration says why it is there; README.md says what each file is and what is lost."""


def _write(app: str | None, config: str | None, directory: Path, flags: Mapping[str, Any]) -> None:
    from portico.export.eject import ejected

    forget(os.environ)
    found = gather(app, config, flags, looks=True)
    made = ejected(found.site, found.place, str(directory))
    write_new(made.files, directory, {})
    output.say(f"start it: {directory / 'start'} (README.md says what it needs)")
