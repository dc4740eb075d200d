"""`portico export docker`: a Dockerfile for the site, and what it needs beside it."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from portico.cli import output
from portico.cli.completion import folders
from portico.cli.export.give import write_new
from portico.cli.flags import given, site_arguments
from portico.place.model import Place
from portico.project.gather import gather
from portico.site.model import Site
from portico.site.secrets import secret_files, user_files
from portico.site.variables import forget


@click.command("docker")
@click.option(
    "--write",
    metavar="DIR",
    shell_complete=folders,
    help="Where to write. Default: the site's directory, where it is built.",
)
@site_arguments
def command(app: str | None, config: str | None, write: str | None, **said: Any) -> None:
    """Write a Dockerfile for APP, a .dockerignore, and Portico's own wheel.

    Every step says why it is there. The image runs without root's rights and on a read-only root file system."""
    from portico.export.before import refuse_passwords
    from portico.export.image.dockerfile import dockerfile, listens
    from portico.export.image.ignore import ignore
    from portico.project.image.gather import image
    from portico.project.image.wheel import own_wheel
    from portico.project.image.words import in_image, words

    os.environ.pop("PORT", None)  # from this shell; the image has its own
    forget(os.environ)
    flags = given(said)
    found = gather(app, config, flags, serves=False)
    refuse_passwords(found.site, found.plan)
    wheel = own_wheel()
    typed = words(app, config, in_image(flags, found.site.options), listens(found.site))
    made = image(found.site, found.place, typed, wheel.name)
    directory = Path(write or found.site.directory)
    files = [dockerfile(found.site, found.plan, made), ignore(made)]
    write_new(files, directory, {wheel.name: wheel.content})
    for sentence in _missing(found.site, found.place):
        output.say(f"{output.warned('warning')} {sentence}")
    here = Path(found.site.directory)
    if directory.resolve() != here.resolve():
        output.say(
            f"put these files into {here}: an image is built there, where .dockerignore keeps secrets out"
        )
    output.say(f"build it: docker build -t {found.site.name} {here}")


def _missing(site: Site, place: Place) -> list[str]:
    """What the site uses and the image does not contain."""
    there = (Path(site.directory), Path(sys.prefix), Path(sys.base_prefix), *map(Path, place.app_path))
    home = f"/srv/{site.name}"
    kept_out = {**secret_files(site), **user_files(site)}
    return [
        *(
            f"{path} ({what}) is not in the image: mount it, "
            f"-v {shlex.quote(f'{path}:{_inside(path, site.directory, home)}:ro')}"
            for path, what in kept_out.items()
        ),
        *(
            f"{folder.folder} ({folder.url}) is not below {site.directory}: mount it at the same path"
            for folder in site.static
            if not any(Path(folder.folder).is_relative_to(top) for top in there)
        ),
    ]


def _inside(path: str, directory: str, home: str) -> str:
    """Where the site in the container looks for that file."""
    below = Path(os.path.normpath(path))
    return f"{home}/{below.relative_to(directory)}" if below.is_relative_to(directory) else path
