"""`portico export nginx`: writes files that serve the site without Portico."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from portico.cli import output
from portico.cli.flags import given, site_arguments
from portico.errors import PorticoError, Problem
from portico.project.gather import gather
from portico.run.disk.write import write_files


@click.command("nginx")
@click.option(
    "--write",
    required=True,
    metavar="DIR",
    help="The directory in which the files will run; made if missing.",
)
@site_arguments
def command(app: str | None, config: str | None, write: str, **flags: Any) -> None:
    """Write files that serve APP without Portico: nginx, uWSGI, units, a start script.

    Every line of the configuration says why it is there; README.md says what each file is and what is lost."""
    from portico.export.eject import ejected

    said = given(flags)
    found = gather(app, config, {"nginx": "system"} | said, looks=True)
    directory = Path(write).absolute()
    made = ejected(found.site, found.place, str(directory))
    if (directory / "conf" / "nginx.conf").exists():
        what = "there is a configuration already, and you may have changed it"
        raise PorticoError(Problem(str(directory), what, "remove it, or write into another directory"))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path in write_files(made.files, directory, is_ours=False):
            output.result(str(path))
    except OSError as error:
        raise PorticoError(
            Problem(str(error.filename or directory), f"cannot be written: {error.strerror}")
        ) from None
    output.say(f"start it: {directory / 'start'} (README.md says what it needs)")
