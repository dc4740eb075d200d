"""`portico maintenance`: closes the site temporarily, with a page that says so."""

from __future__ import annotations

import click

from portico.cli import output
from portico.cli.running import running_runtime_of, running_site
from portico.protocol.commands import CLOSE, OPEN, CloseForMaintenance
from portico.run.control import client


@click.group("maintenance")
def command() -> None:
    """Close the site for a while, with a page that says so, and open it again.

    The gateway answers 503 to everything that the app would answer; static files are still served, and
    /-/health goes on asking the app.
    """


@command.command("on")
@click.option("--message", default="", metavar="TEXT", help="The message on the page.")
@click.option(
    "--allow", multiple=True, metavar="ADDRESS",
    help="Address that still gets in, or a small range (203.0.113.0/24); can be repeated. Default: none.",
)  # fmt: skip
@running_site
def on(app: str | None, config: str | None, name: str, message: str, allow: tuple[str, ...]) -> None:
    """Close the site; again to change the message or the addresses."""
    asked = CloseForMaintenance(message, ",".join(allow))
    (answer,) = client.ask(running_runtime_of(app, config, name), CLOSE, asked)
    who = ", ".join(answer.allow) or "nobody"
    output.result(
        f"closed: {output.strong(answer.message)}\n  {who} may get in; open it: portico maintenance off"
    )


@command.command("off")
@running_site
def off(app: str | None, config: str | None, name: str) -> None:
    """Open the site again."""
    (answer,) = client.ask(running_runtime_of(app, config, name), OPEN)
    output.result("open" if answer.was_closed else "it was not closed")
