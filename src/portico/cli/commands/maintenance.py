"""`portico maintenance`: close the site for a while, with a page that says so."""

from __future__ import annotations

import click

from portico.cli import output
from portico.cli.running import running_runtime_of, running_site
from portico.protocol.commands import CLOSE, OPEN, CloseForMaintenance
from portico.run.control import client


@click.group("maintenance")
def command() -> None:
    """Close the site for a while, with a page that says so, and open it again.

    nginx answers 503 to everything that the app would answer; static files are still served, and
    /-/health goes on asking the app.
    """


@command.command("on")
@click.option("--message", default="", metavar="TEXT", help="What the page says.")
@click.option(
    "--allow", multiple=True, metavar="ADDRESS",
    help="Who is let in: an address or a small range (203.0.113.0/24); can be repeated. Nobody by default.",
)  # fmt: skip
@running_site
def on(app: str | None, config: str | None, name: str, message: str, allow: tuple[str, ...]) -> None:
    """Close it; again to change the message or who is let in."""
    asked = CloseForMaintenance(message, ",".join(allow))
    (answer,) = client.ask(running_runtime_of(app, config, name), CLOSE, asked)
    who = ", ".join(answer.allow) or "nobody"
    output.result(
        f"closed: {output.strong(answer.message)}\n  {who} is let in; open it: portico maintenance off"
    )


@command.command("off")
@running_site
def off(app: str | None, config: str | None, name: str) -> None:
    """Open it."""
    (answer,) = client.ask(running_runtime_of(app, config, name), OPEN)
    output.result("open" if answer.was_closed else "it was not closed")
