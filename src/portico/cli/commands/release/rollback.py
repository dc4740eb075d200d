"""`portico rollback`: serves the previous release again."""

from __future__ import annotations

import click

from portico.cli.commands.release.reload import follow
from portico.cli.running import running_runtime_of, running_site
from portico.protocol.commands import ROLLBACK


@click.command("rollback")
@running_site
@click.option("--json", "is_json", is_flag=True, help="The outcome as a line of JSON.")
def command(app: str | None, config: str | None, name: str, is_json: bool) -> None:
    """Give all requests back to the release that served before the last reload, at once.

    It is kept running for five minutes after a reload. With a canary, the canary leaves.
    """
    follow(running_runtime_of(app, config, name), ROLLBACK, is_json=is_json)
