"""`portico tune`: measures which settings serve this app better on this machine, and proposes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from portico.cli import output
from portico.cli.bench.agree import agree_beside_running
from portico.cli.bench.start import SOME_PORT, host_of, refuse_without_app, routes_of, start_seconds_of
from portico.cli.flags import given, site_arguments
from portico.cli.progress import progress
from portico.cli.tune.apply import apply, changed, config_of, refuse_unwritable
from portico.cli.tune.table import lines
from portico.measure.contenders import Words
from portico.measure.programs import end_all
from portico.measure.session import machine
from portico.measure.tune.look import Sight, look
from portico.measure.tune.model import Candidate, Tuned
from portico.measure.tune.outcome import PRESENT
from portico.measure.tune.rules import candidates
from portico.measure.tune.trial import Trial, tried
from portico.measure.wrk import refuse_without_wrk
from portico.project.gather import gather
from portico.project.gathered import Gathered
from portico.project.running import runtime_of
from portico.run.disk import lock

_ROUNDS, _SLICES = 8, 3
_CONNECTIONS = 16
"""With more, a view that waits needs the whole machine to answer them, and what others do there decides."""
_LIMIT_SECONDS = 120.0
"""Of one setting at most by default, but for the last round."""


@click.command("tune")
@site_arguments
@click.option("--route", "paths", multiple=True, metavar="PATH", help="A path to ask for; may be repeated.")
@click.option("--rounds", type=click.IntRange(2, 50), help=f"Of each setting. Default {_ROUNDS}.")
@click.option("--seconds", type=click.IntRange(1, 30), default=1, help="Length of one measurement.")
@click.option(
    "--connections",
    type=click.IntRange(1, 512),
    default=_CONNECTIONS,
    help="Requests at once. Default 16.",
)
@click.option(
    "--apply", "is_applied", is_flag=True, help="Write portico.toml; the old one keeps another name."
)
@click.option("--yes", is_flag=True, help="Do not ask before a load beside a running site.")
@click.option("--json", "is_json", is_flag=True, help="Everything measured, as JSON.")
def command(
    app: str | None,
    config: str | None,
    paths: tuple[str, ...],
    rounds: int | None,
    seconds: int,
    connections: int,
    is_applied: bool,
    yes: bool,
    is_json: bool,
    **flags: Any,
) -> None:
    """Measure which settings serve the app better on this machine, and propose them as lines of portico.toml.

    A copy of the site runs on a free port of this machine and is asked for routes of the app: those of --route, else
    the most frequent ones of the access log, else the app's. What it answers says which settings are worth a try:
    workers, threads, cache, static folders, request_timeout. Each is measured under load beside the present ones, and
    only what is better beyond the noise is proposed. With --apply, portico.toml is written; `portico reload` takes it.

    Only GET requests are sent, but the app's database is the real one. The running site is not touched.
    """
    refuse_without_wrk("tune")
    words = Words(app, config, given(flags))
    found = gather(app, config, words.flags, alone=SOME_PORT)
    refuse_without_app(found)
    before = config_of(found.site)
    if is_applied:
        refuse_unwritable(before)
    agree_beside_running(words, "tune", is_agreed=yes)
    trial = _trial(found, words, rounds, seconds, connections)
    with progress() as say:
        try:
            tuned = _tuned(trial, paths, say)
        finally:
            end_all()
    change, left = changed(before, [one.candidate for one in tuned.kept])
    is_written = is_applied and bool(change.diff)
    saved = apply(change, before) if is_written else None
    if is_json:
        made = {"tuned": tuned, "diff": change.diff, "left": left, "applied": is_written, "saved": saved}
        output.result(output.as_json(made))
        return
    output.results(list(lines(tuned, change.diff, left)))
    if change.diff:
        output.result(_what_next(words, str(saved or ""), is_written=is_written))


def _trial(found: Gathered, words: Words, rounds: int | None, seconds: int, connections: int) -> Trial:
    return Trial(
        found=found,
        words=words,
        host=host_of(found),
        health=found.site.prefix + found.site.options.health,
        rounds=rounds or _ROUNDS,
        slices=_SLICES,
        seconds=seconds,
        connections=connections,
        start_seconds=start_seconds_of(found),
        limit_seconds=_LIMIT_SECONDS if rounds is None else math.inf,
    )


def _tuned(trial: Trial, paths: tuple[str, ...], say: Callable[[str], None]) -> Tuned:
    found = trial.found
    sight = Sight(
        found=found,
        present=trial.way([], PRESENT, "as it is"),
        patient=lambda seconds: trial.way([_patience(seconds)], PRESENT, "with more time"),
        serving=lambda folders: trial.way(_folders(folders), PRESENT, "with these folders"),
        routes=routes_of(found, trial.words, paths, slow=True),
        is_named=bool(paths),
        host=trial.host,
        start_seconds=trial.start_seconds,
    )
    looked = look(sight, say)
    wanted, advice = candidates(found.site, found.place, looked)
    if wanted:
        say(
            f"{len(wanted)} to try, about {trial.about_seconds(wanted):.0f} s: {', '.join(one.line for one in wanted)}"
        )
    outcomes, samples = tried(trial, wanted, say)
    problems = [one for results in samples for one in results.problems]
    return Tuned(found.plan.app, machine(), outcomes, advice, samples, problems)


def _patience(seconds: float) -> Candidate:
    return Candidate(("request_timeout",), f"{math.ceil(seconds)}s", "answered of 100", "", "")


def _folders(folders: Any) -> list[Candidate]:
    return [Candidate(("static", url), folder, "CPU µs a request", "", "") for url, folder in folders.items()]


def _what_next(words: Words, saved: str, *, is_written: bool) -> str:
    if not is_written:
        return "--apply writes this"
    kept = f"; the old text is {saved}" if saved else ""
    is_running = lock.running(runtime_of(words.app, words.config, words.flags.get("name", ""))) is not None
    return (
        output.good("written")
        + kept
        + (
            "; `portico reload` takes it"
            if is_running
            else "; the next `portico run` takes it, or `portico reload`"
        )
    )
