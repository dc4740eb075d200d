"""`portico pause`: lets requests wait for a moment."""

from __future__ import annotations

import click

from portico.cli import output
from portico.cli.running import running_runtime_of, running_site
from portico.protocol.commands import PAUSE, BeginPause
from portico.run.control import client


@click.command("pause")
@click.option(
    "--for", "length", default="", metavar="TIME",
    help="Resume by itself after this time. Default: half of request_timeout; at most nine tenths of it.",
)  # fmt: skip
@running_site
def command(app: str | None, config: str | None, name: str, length: str) -> None:
    """Let requests wait instead of executing them, for a moment: to migrate a table, to move a file.

    Returns when no request is in progress. Requests wait until portico resume, or until the time is over.
    """
    (answer,) = client.ask(running_runtime_of(app, config, name), PAUSE, BeginPause(length))
    waiting, left = answer.waiting, answer.left_seconds
    output.result(
        f"paused: nothing in progress, {waiting} waiting; ends in {left:.0f} s, or by portico resume"
    )
