"""`portico scale`: more or fewer workers at once."""

from __future__ import annotations

import click

from portico.cli import output
from portico.cli.running import running_runtime_of, running_site
from portico.run import client
from portico.values import counted


@click.command("scale")
@click.argument("workers", type=click.IntRange(min=1))
@running_site
def command(workers: int, app: str | None, config: str | None, name: str) -> None:
    """Give the running release this number of WORKERS, at once and without losing a request.

    The next release has the configured number again (workers.count).
    """
    (told,) = client.ask(running_runtime_of(app, config, name), "POST", "/scale", workers=str(workers))
    leaving = f"; {told['leaving']} more finish what they have" if told["leaving"] else ""
    output.result(f"{counted(told['workers'], 'worker')}; before there were {told['before']}{leaving}")
    if told["workers"] != told["configured"]:
        output.result(
            output.faint(f"  until the next reload, which starts {told['configured']} as configured")
        )
