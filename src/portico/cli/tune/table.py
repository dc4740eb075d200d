"""What `portico tune` found, as people read it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from portico.cli import output
from portico.measure.statistics import CONFIDENCE, LEAST
from portico.measure.tune.model import Candidate, Outcome, Tuned

_WIDTH = 110
_OTHERS = 0.15
"""The share of the machine that others may take before it is said."""


def lines(tuned: Tuned, diff: Sequence[str], left: Sequence[Candidate]) -> Iterator[str]:
    """Each setting that is proposed with its figure and why, what was tried in vain, the difference."""
    for one in tuned.kept:
        yield from _proposed(one)
    if not tuned.kept:
        yield f"nothing to gain was found: {_tried(tuned)}"
        yield ""
    for rejected in tuned.outcomes:
        if not rejected.is_kept:
            yield output.faint(
                f"tried: {output.safe(rejected.candidate.line)}: {output.safe(rejected.reason)}"
            )
    for advice in tuned.advice:
        yield from _wrapped(f"a person decides: {advice.line}: {advice.why}", indent="  ", first="")
    if len(tuned.kept) < len(tuned.outcomes) or tuned.advice:
        yield ""
    yield from (_coloured(output.safe(line)) for line in diff)
    for setting in left:
        yield output.warned(
            f"has no simple place in portico.toml, write it yourself: {output.safe(setting.line)}"
        )
    yield from _notes(tuned)


def _proposed(one: Outcome) -> Iterator[str]:
    candidate = one.candidate
    yield output.strong(output.safe(candidate.line))
    times = ""
    if one.ratio is not None:
        times = f"   {one.ratio.ratio:.2f} x ({one.ratio.low:.2f} to {one.ratio.high:.2f})"
    figures = f"{_number(one.before)} -> {_number(one.after)}"
    yield output.good(output.safe(f"  {candidate.figure}, GET {candidate.path}: {figures}{times}"))
    yield from _wrapped(candidate.why)
    if one.costs:
        yield from _wrapped(f"It costs {one.costs}.")
    if candidate.caution:
        yield from (output.warned(line) for line in _wrapped(f"Look first: {candidate.caution}"))
    yield ""


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}"


def _wrapped(text: str, indent: str = "  ", first: str | None = None) -> list[str]:
    begin = indent if first is None else first
    return textwrap.wrap(output.safe(text), _WIDTH, initial_indent=begin, subsequent_indent=indent)


def _tried(tuned: Tuned) -> str:
    count = len(tuned.outcomes)
    if not count:
        return "no rule applies to this app, its settings and this machine"
    return "no setting that was tried is better beyond the noise"


def _coloured(line: str) -> str:
    if line.startswith("+"):
        return output.good(line)
    return output.bad(line) if line.startswith("-") else line


def _notes(tuned: Tuned) -> Iterator[str]:
    samples = [one for results in tuned.samples for one in results.samples]
    others = max((one.others for one in samples), default=0.0)
    if others > _OTHERS:
        what = (
            f"other programs took up to {others:.0%} of the machine meanwhile: measure again when it is quiet"
        )
        yield output.warned(what)
    if tuned.samples:
        first = tuned.samples[0]
        yield output.faint(
            f"medians of {first.rounds} rounds, {first.connections} requests at once, by wrk on the same machine; "
            f"each setting beside those kept before it; {CONFIDENCE:.0%} for all intervals together, differences below "
            f"{LEAST:.0%} left out"
        )
    yield output.faint(tuned.machine)
