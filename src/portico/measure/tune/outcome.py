"""What the measurement says of a candidate. Pure."""

from __future__ import annotations

from statistics import median

from portico.measure.model import Results, Sample, by_round
from portico.measure.statistics import CONFIDENCE, Ratio, ratio, shared
from portico.measure.tune.model import FIGURES, MORE_IS_BETTER, Candidate, Outcome

PRESENT, TRIED = "present", "tried"
"""The keys of the two contenders."""
_FEW = 0.001
"""A larger share of failed requests than before forbids a setting."""
_LEAST_RATE = 0.9
"""For less memory the rate may not seem to fall below that share."""
_WORTH_A_WORD = 1.1


def outcome(candidate: Candidate, results: Results, candidates: int) -> Outcome:
    """Kept if the figure is better beyond the noise: all intervals together have the stated confidence."""
    present, tried = (results.of(key, candidate.path) for key in (PRESENT, TRIED))
    rounds = {one.round for one in present} & {one.round for one in tried}
    before, after = ([one for one in side if one.round in rounds] for side in (present, tried))
    level = shared(CONFIDENCE, candidates)
    found = _ratio(candidate.figure, before, after, level)
    if found is None:
        why = next((one.missing for one in results.contenders if one.missing), "") or "; ".join(
            results.problems
        )
        return Outcome(candidate, is_kept=False, reason=why or "too few rounds could be measured")
    reason = _against(candidate, found, before, after, level)
    return Outcome(
        candidate,
        is_kept=not reason,
        before=_middle(candidate.figure, before),
        after=_middle(candidate.figure, after),
        ratio=found,
        reason=reason,
        costs=_costs(candidate, before, after),
    )


def answered(candidate: Candidate, before: int, after: int, asked: int) -> Outcome:
    """Of a page that ran out of time: how many of the requests were answered."""
    reason = "" if after > before else "it is not answered then either"
    return Outcome(
        candidate, is_kept=not reason, before=100 * before / asked, after=100 * after / asked, reason=reason
    )


def _against(
    candidate: Candidate, found: Ratio, before: list[Sample], after: list[Sample], level: float
) -> str:
    """Why it is not kept; empty if it is."""
    between = f"{found.ratio:.2f} x, {found.low:.2f} to {found.high:.2f}"
    if _failing(after) > _failing(before) + _FEW:
        return f"{_failing(after):.1%} of requests fail then ({_failing(before):.1%} before)"
    if not found.is_sure:
        return f"no difference in {candidate.figure} seen ({between})"
    if (found.ratio > 1) != (candidate.figure in MORE_IS_BETTER):
        return f"worse: {candidate.figure} {between}"
    rate = _ratio("requests/s", before, after, level)
    if candidate.figure == "memory, MB" and rate is not None and rate.ratio < _LEAST_RATE:
        return f"fewer requests/s: {rate.ratio:.2f} x, {rate.low:.2f} to {rate.high:.2f}"
    return ""


def _failing(samples: list[Sample]) -> float:
    return sum(one.failed for one in samples) / max(1, sum(one.requests for one in samples))


def _costs(candidate: Candidate, before: list[Sample], after: list[Sample]) -> str:
    then, now = (_middle("memory, MB", side) for side in (before, after))
    if candidate.figure != "memory, MB" and now > _WORTH_A_WORD * then:
        return f"memory {then:.0f} to {now:.0f} MB"
    return ""


def _ratio(figure: str, before: list[Sample], after: list[Sample], level: float) -> Ratio | None:
    return ratio(by_round(before, FIGURES[figure]), by_round(after, FIGURES[figure]), level)


def _middle(figure: str, samples: list[Sample]) -> float:
    return median(by_round(samples, FIGURES[figure]))
