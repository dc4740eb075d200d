"""`portico resume`: ends a pause."""

from __future__ import annotations

import sys

import click

from portico.cli import output
from portico.cli.running import running_runtime_of, running_site
from portico.errors import DONE, FAILED
from portico.protocol.commands import RESUME
from portico.run.control import client


@click.command("resume")
@running_site
def command(app: str | None, config: str | None, name: str) -> None:
    """End a pause: requests that waited are executed now."""
    (answer,) = client.ask(running_runtime_of(app, config, name), RESUME)
    output.result("resumed" if answer.was_paused else "it was not paused, or no longer")
    sys.exit(DONE if answer.was_paused else FAILED)
