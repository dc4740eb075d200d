"""Tries one candidate after the other, each beside the site with those that were kept before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from http.client import HTTPException
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from portico.errors import PorticoError
from portico.measure.ask import PeerError, ask, wait_until_ready
from portico.measure.contenders import Way, Words, portico
from portico.measure.model import Results, Route
from portico.measure.session import Order, Say, Session, launched
from portico.measure.tune.model import FIGURES, Candidate, Outcome
from portico.measure.tune.outcome import PRESENT, TRIED, answered, outcome
from portico.project.gathered import Gathered
from portico.site.keys import flag_keys

_ASKED = 3
"""Requests to a page that ran out of time: each takes as long as it may."""
_GRACE_SECONDS = 5.0
_START_SECONDS = 4.0
"""About what two copies of a small app take to start and to end."""


class Trial(Struct, frozen=True):
    """How candidates are measured."""

    found: Gathered
    words: Words
    host: str
    health: str
    rounds: int
    slices: int
    seconds: int
    connections: int
    start_seconds: float
    limit_seconds: float

    def way(self, settings: Sequence[Candidate], key: str, name: str) -> Way:
        """The site with these settings, which are flags of its copy: they win over portico.toml."""
        return portico(
            self.found, replace(self.words, flags=with_flags(self.words.flags, settings)), None, key, name
        )

    def about_seconds(self, candidates: Sequence[Candidate]) -> float:
        """How long they take, about."""
        loaded = sum(one.figure in FIGURES for one in candidates)
        return loaded * (_START_SECONDS + self.rounds * (_START_SECONDS + 1 + 2 * self.slices * self.seconds))


def with_flags(flags: Mapping[str, Any], settings: Sequence[Candidate]) -> dict[str, Any]:
    """The command line with these settings, too."""
    of_key = {key.name: flag for flag, key in flag_keys().items()}
    made = dict(flags)
    for one in settings:
        if one.name in of_key:
            made[of_key[one.name]] = one.value
        else:  # an entry of a table
            table, entry = one.key
            before = made.get(of_key[table], [])
            made[of_key[table]] = [*before, f"{entry}={one.value}"]
    return made


def tried(trial: Trial, candidates: Sequence[Candidate], say: Say) -> tuple[list[Outcome], list[Results]]:
    """What came of each. A copy that does not start is the end of that candidate alone."""
    outcomes, samples = list[Outcome](), list[Results]()
    for number, candidate in enumerate(candidates, 1):
        told = partial(_said, say, f"{number} of {len(candidates)}, {candidate.line}")
        kept = [one.candidate for one in outcomes if one.is_kept]
        present = trial.way(kept, PRESENT, "as it is")
        changed = trial.way([*kept, candidate], TRIED, "with it")
        if candidate.figure == "answered of 100":
            outcomes.append(_answered(trial, candidate, present, changed, told))
            continue
        try:
            results = _measured(trial, candidate, [present, changed], told)
        except PorticoError as error:
            reason = "; ".join(one.what for one in error.problems)
            outcomes.append(Outcome(candidate, is_kept=False, reason=f"not measured: {reason}"))
            continue
        samples.append(results)
        outcomes.append(outcome(candidate, results, len(candidates)))
    return outcomes, samples


def _said(say: Say, what: str, text: str) -> None:
    say(f"{what}: {text}")


def _measured(trial: Trial, candidate: Candidate, pair: list[Way], say: Say) -> Results:
    """Raises PorticoError if the site does not start as it is."""
    order = Order(
        app=trial.found.plan.app,
        ways=pair,
        candidates=[Route(candidate.path, "")],
        is_named=True,
        host=trial.host,
        rounds=trial.rounds,
        slices=trial.slices,
        seconds=trial.seconds,
        connections=trial.connections,
        start_seconds=trial.start_seconds,
        limit_seconds=trial.limit_seconds,
        take_turns=True,
    )
    return Session(order, PRESENT, say).run()


def _answered(trial: Trial, candidate: Candidate, present: Way, changed: Way, say: Say) -> Outcome:
    """Some requests to each, one after the other: nothing else of the machine decides whether they end in time."""
    counts = list[int]()
    for way in (present, changed):
        say(f"{way.name}: GET {candidate.path}, {_ASKED} times")
        try:
            counts.append(_count(trial, way, candidate.path))
        except (PeerError, OSError) as error:
            return Outcome(candidate, is_kept=False, reason=f"not measured: {error}")
    return answered(candidate, counts[0], counts[1], _ASKED)


def _count(trial: Trial, way: Way, path: str) -> int:
    """Of so many requests, those that were answered. Raises PeerError and OSError."""
    longest = 2 * float(trial.found.site.options.request_timeout) + 120 + _GRACE_SECONDS
    with launched(way) as programs:
        wait_until_ready(programs, trial.health, trial.host, trial.start_seconds)
        good = 0
        for _ in range(_ASKED):
            try:
                good += ask(programs.port, path, trial.host, longest).status < 400
            except (OSError, HTTPException):
                continue
    return good
