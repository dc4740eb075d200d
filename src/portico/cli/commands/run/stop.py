"""`portico stop`: finishes requests in progress and stops the site."""

from __future__ import annotations

import time

import click

from portico.cli import output
from portico.cli.running import running_site, runtime_of
from portico.project.running import absent, gateway_of
from portico.protocol.commands import HALT, STOP, OfSite
from portico.run.control import client
from portico.run.disk import lock

_LOOK_SECONDS = 0.1


@click.command("stop")
@running_site
def command(app: str | None, config: str | None, name: str) -> None:
    """Stop the site of APP or of the current directory; requests in progress are finished."""
    runtime = runtime_of(app, config, name)
    if lock.running(runtime) is None and (found := absent(runtime)):
        for answer in client.ask(found.gateway, HALT, OfSite(found.status.name)):
            output.say(f"{answer.name} is {answer.status}")
        return
    if (begun := lock.running(runtime)) and begun.stage:
        if gateway := gateway_of(runtime):
            # The gateway would start its supervisor again.
            for answer in client.ask(gateway, HALT, OfSite(lock.site_of(runtime))):
                output.say(f"{answer.name} is {answer.status}")
            return
        lock.interrupt(runtime, begun)  # it has started nothing that must be finished
    else:
        for leaving in client.ask(runtime, STOP):
            output.say(output.faint(f"pid {leaving.stopping} finishes its requests ..."))
    # The run ends its children within its own timeouts; this command only waits.
    while lock.running(runtime) is not None:
        client.refuse_stopped(runtime)
        time.sleep(_LOOK_SECONDS)
    output.say("stopped")
