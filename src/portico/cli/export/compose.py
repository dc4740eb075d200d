"""`portico export compose`: a gateway and replicas of the app."""

from __future__ import annotations

import os
import secrets
import shlex
import stat
from pathlib import Path
from typing import Any

import click

from portico.cli import output
from portico.cli.completion import folders
from portico.cli.export.give import write_new, write_secret
from portico.cli.flags import given, site_arguments_but
from portico.project.gather import gather
from portico.site.variables import forget


@click.command("compose")
@click.option("--replicas", default=2, metavar="N", help="How many replicas of the app. Default: 2.")
@click.option(
    "--apart",
    is_flag=True,
    help="The gateway runs nginx alone and the replicas the app alone; they share a volume of unix sockets.",
)
@click.option(
    "--write", metavar="DIR", shell_complete=folders, help="Where to write. Default: the site's directory."
)
@site_arguments_but("listen")
def command(
    app: str | None, config: str | None, replicas: int, write: str | None, *, apart: bool, **said: Any
) -> None:
    """Write a compose.yaml for APP: a gateway, replicas behind it, and a script for a rolling release.

    `portico export docker` writes the image that they run."""
    from portico.export.compose.replicas import compose
    from portico.export.compose.stores import PASSWORD
    from portico.project.image.gather import app_packages
    from portico.project.image.words import in_image, words

    os.environ.pop("PORT", None)  # from this shell
    forget(os.environ)
    flags = given(said)
    found = gather(app, config, flags, serves=False)
    directory = Path(write or found.site.directory)
    typed = words(app, config, in_image(flags, found.site.options), None)
    packages = app_packages(found.site)
    if apart:
        from portico.export.compose.apart import compose_apart
        from portico.project.image.gather import homes

        files = compose_apart(
            found.site, found.plan, found.place, typed, replicas, packages, homes(found.site, found.place)
        )
    else:
        files = compose(found.site, found.plan, typed, replicas, packages)
    write_new(files, directory, {})
    if PASSWORD in files[0].content:
        _give_password(directory / PASSWORD)
    if not (directory / "Dockerfile").exists():
        output.say("the image comes next: portico export docker")
    output.say("start it: docker compose up -d --build; new code: ./release")


def _give_password(file: Path) -> None:
    """Writes the password of the database, unless there is one. Raises PorticoError."""
    from portico.export.image.dockerfile import USER

    if os.path.lexists(file):
        if stat.S_IMODE(file.lstat().st_mode) & 0o077:
            output.say(
                f"{output.warned('warning')} other users may read {file}: chmod 600 {shlex.quote(str(file))}"
            )
        return
    is_root = os.geteuid() == 0
    write_secret(file, secrets.token_hex(32), USER if is_root else None)
    if not is_root:
        output.say(
            f"the user of the containers must be able to read it: sudo chown {USER} {shlex.quote(str(file))}"
        )
