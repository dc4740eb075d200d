"""`portico drain`: sends no new requests to one server; requests in progress are finished."""

from __future__ import annotations

import click

from portico.cli import output
from portico.cli.running import named_site, running_runtime_of
from portico.errors import Problem, UsageError
from portico.protocol.commands import DRAIN, DrainServer
from portico.run.control import client


@click.command("drain")
@click.argument("server")
@named_site
@click.option("--undo", is_flag=True, help="Send it requests again.")
@click.option(
    "--when-well",
    is_flag=True,
    help="With --undo: wait until it answers well, at most start_timeout; else it stays drained.",
)
def command(server: str, config: str | None, name: str, undo: bool, when_well: bool) -> None:
    """Send no new requests to SERVER, one of `upstream.servers`; those it has are finished."""
    if when_well and not undo:
        raise UsageError(
            Problem("--when-well", "has no meaning without --undo", "add --undo, or leave it out")
        )
    asked = DrainServer(server, undo, when_well)
    for answer in client.ask(running_runtime_of(None, config, name), DRAIN, asked):
        if text := _SENTENCES.get(answer.status):
            output.say(text.format(answer.name))


_SENTENCES = {
    "draining": "{} gets no new requests and finishes its requests ...",
    "drained": "{} is drained and may be stopped; portico drain --undo brings it back",
    "in": "{} gets requests again",
}
