"""`portico metrics`: prints the metrics of a running site in Prometheus' format."""

from __future__ import annotations

import click

from portico.cli import output
from portico.cli.running import one_site, running_site
from portico.protocol.commands import LIVE, METRICS, FollowLive
from portico.run.control import client


@click.command("metrics")
@running_site
@click.option("--json", "is_json", is_flag=True, help="What `top` shows, as JSON, instead.")
def command(app: str | None, config: str | None, name: str, is_json: bool) -> None:
    """Print the metrics of a running site in Prometheus' format.

    [metrics] listen gives Prometheus an address to ask.
    """
    runtime = one_site(app, config, name)
    if is_json:
        output.result(output.as_json(next(client.ask(runtime, LIVE, FollowLive(once=True)))))
        return
    (answer,) = client.ask(runtime, METRICS)
    output.results(answer.text.removesuffix("\n").split("\n"))
