"""`portico export`: writes the site as files of another program."""

from __future__ import annotations

import click

from portico.cli.export import apache, compose, docker, fleet, kubernetes, nginx, systemd

FORMATS = (apache, compose, docker, fleet, kubernetes, nginx, systemd)


@click.group("export", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Write the files another program needs to run the site."""


for one in FORMATS:
    command.add_command(one.command)
