"""`portico purge`: deletes answers from the gateway's cache."""

from __future__ import annotations

import click
import msgspec

from portico.cli import output
from portico.cli.running import named_site, running_runtime_of
from portico.errors import Problem, UsageError
from portico.protocol.commands import PURGE, Purge
from portico.run.control import client


@click.command("purge")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@click.option("--json", "is_json", is_flag=True, help="The number as JSON.")
@named_site
def command(what: tuple[str, ...], config: str | None, name: str, is_json: bool) -> None:
    """Delete the stored answers of WHAT from the gateway's cache, at once.

    WHAT is a path (/news/1, with all its queries), many paths ("/news/*"; "/*" is all), a URL with its
    host, or a tag that the app gave the answer in Surrogate-Key or Cache-Tag.
    """
    if not all(word.strip() for word in what):
        raise UsageError(
            Problem("WHAT", "is empty", 'expected a path like /news/1, many like "/news/*", a URL, or a tag')
        )
    (answer,) = client.ask(running_runtime_of(None, config, name), PURGE, Purge("\n".join(what)))
    if is_json:
        output.result(output.as_json(msgspec.to_builtins(answer)))
        return
    if answer.no_cache:
        output.result(f"nothing was deleted, because nothing is cached: {answer.no_cache}")
        return
    count = answer.purged
    output.result(f"{count} kept {'answer is' if count == 1 else 'answers are'} gone")
