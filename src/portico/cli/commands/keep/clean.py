"""`portico clean`: removes what former sites left on the disk."""

from __future__ import annotations

import time

import click

from portico.cli import output
from portico.cli.words import lasting
from portico.errors import Problem, UsageError
from portico.run.disk import remains as leavings
from portico.run.disk.remains import Leaving
from portico.watch.lines import short_size


@click.command("clean")
@click.argument("sites", nargs=-1, metavar="[SITE]...")
@click.option("--json", "is_json", is_flag=True, help="The list as JSON.")
def command(sites: tuple[str, ...], is_json: bool) -> None:
    """List the directories of sites that do not run. With SITE, remove those of that one.

    SITE is a name of the list. Its sockets and configuration, its logs, its cache and its certificates are removed;
    the app itself and portico.toml are not touched. A site that runs is not in the list.
    """
    found = leavings.found()
    chosen = [_chosen(found, name) for name in sites]
    for one in chosen:
        leavings.remove(one)
        output.say(f"removed {one.key}: {', '.join(one.directories)}")
    if is_json:
        output.result(output.as_json(chosen if chosen else found))
    elif not chosen:
        output.results([text for one in found for text in _lines(one)] or ["no directories of former sites"])


def _chosen(found: list[Leaving], name: str) -> Leaving:
    one = next((one for one in found if one.key == name), None)
    if one is None:
        known = ", ".join(one.key for one in found) or "none"
        raise UsageError(
            Problem("", f'"{name}" is not the directory of a stopped site', f"there are: {known}")
        )
    return one


def _lines(one: Leaving) -> list[str]:
    ago = lasting(max(0.0, time.time() - one.used))
    holds = "  holds a certificate" if one.has_certificate else ""
    head = f"{output.strong(output.safe(one.key))}  last used {ago} ago  {short_size(one.bytes)}{holds}"
    return [head, *(f"    {output.safe(directory)}" for directory in one.directories)]
