"""`portico bench`: measures an app under load, each way of serving it beside the others."""

from __future__ import annotations

import math
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from portico.cli.bench.agree import agree_beside_running, agree_to_url, refuse_beside_url
from portico.cli.bench.report.file import refuse_other_files
from portico.cli.bench.show import Showing, shown
from portico.cli.bench.start import (
    SOME_PORT,
    host_of,
    refuse_without_app,
    routes_of,
    start_seconds_of,
)
from portico.cli.completion import files
from portico.cli.flags import given, site_arguments
from portico.cli.progress import progress
from portico.errors import Problem, UsageError
from portico.measure import routes
from portico.measure.code import code_of
from portico.measure.contenders import KEYS, Way, Words, portico, ways
from portico.measure.programs import end_all
from portico.measure.session import Order, Session
from portico.measure.url import measured_url
from portico.measure.wrk import CONNECTIONS, refuse_without_wrk
from portico.project.gather import gather
from portico.project.gathered import Gathered

_ROUNDS, _ROUNDS_AGAINST = 3, 6
_SLICES_AGAINST = 4
_LIMIT_SECONDS = 100.0
"""How long it takes at most by default, but for the last round."""
_CONNECTIONS_AGAINST = 8
"""Those that are cut off at the end of a slice have cost CPU time and are not counted: fewer are more exact."""


class Load(Struct, frozen=True):
    """What was asked for of it; None where nothing was."""

    rounds: int | None
    seconds: int
    connections: int | None


@click.command("bench")
@site_arguments
@click.option("--route", "paths", multiple=True, metavar="PATH", help="A path to ask for; may be repeated.")
@click.option(
    "--against", metavar="COMMIT|DIR", help="Compare with the code of a commit or of another directory.",
    shell_complete=files,
)  # fmt: skip
@click.option("--peers", default="", metavar="NAMES", help=f"Comma-separated, of: {', '.join(KEYS)}.")
@click.option("--rounds", type=click.IntRange(2, 50), help="Default 3, with --against 6.")
@click.option("--seconds", type=click.IntRange(1, 30), default=1, help="Length of one measurement.")
@click.option(
    "--connections", type=click.IntRange(1, 512), help="Requests at once. Default 64, with --against 8."
)
@click.option("--yes", is_flag=True, help="Do not ask before a load on a running site or another host.")
@click.option("--json", "is_json", is_flag=True, help="Everything measured, as JSON.")
@click.option(
    "--html", metavar="FILE", shell_complete=files, help="Also write a page with plots. Only a report is replaced.",
)  # fmt: skip
def command(
    app: str | None,
    config: str | None,
    paths: tuple[str, ...],
    against: str | None,
    peers: str,
    rounds: int | None,
    seconds: int,
    connections: int | None,
    yes: bool,
    is_json: bool,
    html: str | None,
    **flags: Any,
) -> None:
    """Measure the app under load: its framework's own server, Gunicorn alone, nginx + Gunicorn, and Portico.

    Each way is started in turn on a free port of this machine, in several rounds, and asked by wrk for routes of the
    app: those of --route, else the mix of the access log, else the app's. With --against, the code
    here is compared with that of a commit or directory, both under Portico; exit code 1 if it became slower.

    APP may be a URL of a server that runs; then only that is measured, or each --route at that server. Only GET
    requests are sent, but the app's database is the real one.
    """
    refuse_without_wrk()
    show = Showing(Path(html) if html else None, is_json=is_json)
    if show.html:
        refuse_other_files(show.html)
    load = Load(rounds, seconds, connections)
    if app and app.startswith(("http://", "https://")):
        refuse_beside_url(config, against, peers, given(flags))
        named = routes.named(paths)
        agree_to_url(app, is_agreed=yes)
        with progress() as say:
            results = measured_url(app, named, rounds or _ROUNDS, seconds, connections or CONNECTIONS, say)
        shown(results, show, None)
        return
    if against and peers:
        raise UsageError(Problem("--peers", "--against compares Portico with Portico", "leave one out"))
    words = Words(app, config, given(flags))
    found = gather(app, config, words.flags, alone=SOME_PORT)
    refuse_without_app(found)
    agree_beside_running(words, "bench", is_agreed=yes)
    with ExitStack() as stack:
        chosen = (
            _before_and_after(stack, found, words, against) if against else ways(found, words, _keys(peers))
        )
        order = _order(found, words, paths, chosen, load, is_pair=bool(against))
        with progress() as say:
            try:
                results = Session(order, "after" if against else "portico", say).run()
            finally:
                end_all()
    shown(results, show, found, is_pair=bool(against))


def _order(
    found: Gathered, words: Words, paths: tuple[str, ...], chosen: list[Way], load: Load, *, is_pair: bool
) -> Order:
    return Order(
        app=found.plan.app,
        ways=chosen,
        candidates=routes_of(found, words, paths, is_mixed=True),
        is_named=bool(paths),
        host=host_of(found),
        rounds=load.rounds or (_ROUNDS_AGAINST if is_pair else _ROUNDS),
        seconds=load.seconds,
        slices=_SLICES_AGAINST if is_pair else 1,
        connections=load.connections or (_CONNECTIONS_AGAINST if is_pair else CONNECTIONS),
        limit_seconds=_LIMIT_SECONDS if load.rounds is None else math.inf,
        start_seconds=start_seconds_of(found),
        run_together=is_pair,
    )


def _before_and_after(stack: ExitStack, found: Gathered, words: Words, against: str) -> list[Way]:
    private = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portico-code-")))
    if os.geteuid() == 0:
        private.chmod(
            0o711
        )  # the app's and the gateway's users must reach what is in it, and nobody may list it
    home = Path(found.site.directory)
    code = stack.enter_context(code_of(against, home, found.place.app_user, private))
    there = gather(words.app, words.config, words.flags, release=str(code), alone=SOME_PORT)
    imported = Path(there.site.facts.directory)
    if not imported.is_relative_to(code) and code != home:
        what = (
            f"the app of that code is imported from {imported}, not from {code}: both sides would be the same"
        )
        raise UsageError(
            Problem("--against", what, "is the app installed as a package? start it from its directory")
        )
    return [
        portico(there, words, code, "before", f"before ({against})"),
        portico(found, words, None, "after", "after (the code here)"),
    ]


def _keys(peers: str) -> tuple[str, ...]:
    found = tuple(word.strip() for word in peers.split(",") if word.strip()) or KEYS
    unknown = [word for word in found if word not in KEYS]
    if unknown:
        raise UsageError(
            Problem("--peers", f'"{unknown[0]}" is not known', f"expected some of {', '.join(KEYS)}")
        )
    return found
