"""`portico export compose`: a gateway and replicas of the app."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from portico.cli import output
from portico.cli.export.give import write_new
from portico.cli.flags import given, site_arguments_but
from portico.project.gather import gather


@click.command("compose")
@click.option("--replicas", default=2, metavar="N", help="How many replicas of the app. Default: 2.")
@click.option("--write", metavar="DIR", help="Where to write. Default: the site's directory.")
@site_arguments_but("listen")
def command(app: str | None, config: str | None, replicas: int, write: str | None, **said: Any) -> None:
    """Write a compose.yaml for APP: a gateway, replicas behind it, and a script for a rolling release.

    `portico export docker` writes the image that they run."""
    from portico.export.compose import PASSWORD, compose
    from portico.project.image.gather import app_packages
    from portico.project.image.words import words

    os.environ.pop("PORT", None)  # from this shell
    flags = given(said)
    found = gather(app, config, flags, serves=False)
    directory = Path(write or found.site.directory)
    typed = words(app, config, flags, None)
    files = compose(found.site, found.plan, typed, replicas, app_packages(found.site))
    write_new(files, directory, {})
    if PASSWORD in files[0].content and not (directory / PASSWORD).exists():
        output.say(f"write the password of its database: openssl rand -hex 16 > {PASSWORD}")
    if not (directory / "Dockerfile").exists():
        output.say("the image comes next: portico export docker")
    output.say("start it: docker compose up -d --build; new code: ./release")
