"""What Portico must show, and whether this run showed it. Every target is a ratio within one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.results import Results, Sample

_TEXT, _ASYNC = "text", "async"
_OURS: Final = {_TEXT: "portico", _ASYNC: "portico-asgi"}
_WORKER_ALLOWANCE_MB = 2.0

Of = Callable[[Sample], float]


@dataclass(frozen=True)
class Verdict:
    """`passed` is None when one of the two sides was not measured."""

    target: str
    figure: str
    passed: bool | None


def verdicts(results: Results) -> list[Verdict]:
    """The one-line view, default settings. CPU is the whole process tree, Portico's own process included."""
    return [
        _against_floor(results, 2.4),
        _cpu(results, "nginx-uwsgi", "at most 1.1 x nginx + uWSGI", 1.1),
        _cpu(results, "tutorial", "at most 0.4 x the tutorial's set-up", 0.4),
        *(_cpu(results, key, f"below {name}", 1.0) for key, name in _BELOW),
        _rate(results, "granian", 0.9),
        _latency(results),
        _worker_memory(results),
        _cpu(results, "uvicorn", "of FastAPI at most 1.1 x uvicorn alone", 1.1, _ASYNC),
        _cpu(results, "nginx-uvicorn", "of FastAPI at most 0.8 x nginx + uvicorn", 0.8, _ASYNC),
        _rate(results, "granian-asgi", 0.9, _ASYNC),
    ]


_BELOW = (
    ("mod-wsgi", "mod_wsgi-express"),
    ("pyvoy", "pyvoy"),
    ("caddy-gunicorn", "Caddy + Gunicorn"),
    ("nginx-granian", "nginx + Granian"),
)


def _against_floor(results: Results, limit: float) -> Verdict:
    floor = results.floor_spread(_TEXT)
    return _ratio(
        f"CPU a request at most {limit} x the view in-process",
        _median(results, "portico", _whole_us),
        floor.median if floor else None,
        limit,
        "µs",
    )


def _cpu(results: Results, peer: str, words: str, limit: float, workload: str = _TEXT) -> Verdict:
    ours = _median(results, _OURS[workload], _whole_us, workload)
    theirs = _median(results, peer, _whole_us, workload)
    return _ratio(f"CPU a request {words}", ours, theirs, limit, "µs")


def _rate(results: Results, peer: str, least: float, workload: str = _TEXT) -> Verdict:
    target = f"requests/s{' of FastAPI' if workload == _ASYNC else ''} at least {least} x Granian alone"
    ours = _median(results, _OURS[workload], _requests_rate, workload)
    theirs = _median(results, peer, _requests_rate, workload)
    if ours is None or theirs is None:
        return Verdict(target, "not measured", None)
    return Verdict(target, f"{ours / theirs:.2f} x ({ours:,.0f} / {theirs:,.0f})", ours >= least * theirs)


def _latency(results: Results) -> Verdict:
    ours = _median(results, "portico", lambda sample: sample.p99_ms)
    theirs = _median(results, "tutorial", lambda sample: sample.p50_ms)
    return _ratio("p99 below the tutorial's p50", ours, theirs, 1.0, "ms")


def _worker_memory(results: Results) -> Verdict:
    target = f"a worker at most {_WORKER_ALLOWANCE_MB:g} MB larger than Gunicorn's sync worker"
    ours, theirs = _median(results, "portico", _worker_mb), _median(results, "gunicorn-sync", _worker_mb)
    if ours is None or theirs is None:
        return Verdict(target, "not measured", None)
    figure = f"{ours - theirs:+.1f} MB ({ours:.1f} - {theirs:.1f})"
    return Verdict(target, figure, ours - theirs <= _WORKER_ALLOWANCE_MB)


def _ratio(target: str, ours: float | None, theirs: float | None, limit: float, unit: str) -> Verdict:
    if ours is None or theirs is None:
        return Verdict(target, "not measured", None)
    figure = f"{ours / theirs:.2f} x ({ours:.1f} / {theirs:.1f} {unit})"
    return Verdict(target, figure, ours <= limit * theirs)


def _median(results: Results, peer: str, of: Of, workload: str = _TEXT) -> float | None:
    found = results.spread(peer, workload, of)
    return found.median if found else None


def _whole_us(sample: Sample) -> float:
    return sample.whole_us


def _requests_rate(sample: Sample) -> float:
    return sample.rate


def _worker_mb(sample: Sample) -> float:
    return sample.worker_mb
