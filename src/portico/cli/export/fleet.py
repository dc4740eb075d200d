"""`portico export fleet`: a rolling release over several hosts, as a script."""

from __future__ import annotations

import os
from pathlib import Path

import click

from portico.cli import output
from portico.cli.completion import files, folders
from portico.cli.export.give import give, write_new
from portico.site.variables import forget


@click.command("fleet")
@click.option("--config", metavar="FILE", shell_complete=files, help="The gateway's portico.toml.")
@click.option(
    "--write",
    metavar="DIR",
    shell_complete=folders,
    help="Write it into DIR, with a script for each host that makes its service.",
)
def command(config: str | None, write: str | None) -> None:
    """Print a rolling release over the hosts of a gateway as a script, with every ssh command in it.

    `portico fleet release` runs the same steps."""
    from portico.export.fleet import script, tree
    from portico.project.fleet import gathered

    forget(os.environ)
    fleet, options = gathered(config)
    if not write:
        give(script(fleet), None)
        return
    write_new(tree(fleet, options), Path(write), {})
    output.say(
        f"on each host, once, as root: {write}/hosts/HOST/install; then, for new code: {write}/release NAME"
    )
