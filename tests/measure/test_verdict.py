"""What the figures mean."""

from __future__ import annotations

from typing import Any

from portico.measure.model import Contender, Results, Route, Sample, by_round
from portico.measure.verdict import bottleneck, changes, verdict


def _sample(contender: str = "portico", number: int = 0, **fields: Any) -> Sample:
    usual: dict[str, Any] = {
        "contender": contender, "route": "/", "round": number, "requests": 1000, "seconds": 1.0, "p50_ms": 10.0,
        "p99_ms": 20.0, "failed": 0, "cpu_us": {"app": 800.0, "gateway": 100.0}, "memory_mb": {"app": 60.0},
        "workers": 2, "cores": 2,
    }  # fmt: skip
    return Sample(**(usual | fields))


def _results(*samples: Sample) -> Results:
    contenders = [Contender("portico", "Portico", ""), Contender("own", "Flask", "", slow_clients=False)]
    return Results("", "app:app", "", 3, 1, 64, [Route("/", "--route")], contenders, list(samples), [])


def test_samples_of_a_round_count_by_their_requests() -> None:
    samples = [_sample(requests=100, p50_ms=10.0), _sample(requests=300, p50_ms=30.0), _sample(number=1)]
    assert by_round(samples, lambda one: one.p50_ms) == [25.0, 10.0]


def test_a_cost_beside_the_base_is_a_ratio_with_its_interval_or_no_difference() -> None:
    base = [_sample(number=number) for number in range(3)]
    dear = [_sample("own", number, cpu_us={"app": 1800.0 + number}) for number in range(3)]
    results = _results(*base, *dear)
    own = results.contenders[1]
    assert verdict(results, own, "portico", "/") == "slow clients stop it; 2.00 x CPU (2.00 to 2.00)"
    same = [_sample("own", number, cpu_us={"app": 880.0 + 20 * number}) for number in range(3)]
    assert "no difference in CPU seen" in verdict(_results(*base, *same), own, "portico", "/")
    failing = [_sample("own", number, failed=100) for number in range(3)]
    assert verdict(_results(*base, *failing), own, "portico", "/") == "10.0% of requests fail"


def test_rounds_that_only_one_side_has_are_left_out() -> None:
    sides = [_sample(number=number) for number in range(4)] + [_sample("own", number) for number in (0, 1, 3)]
    found = changes(_results(*sides), "portico", "own")
    assert [(one.figure, one.ratio.rounds, one.word) for one in found] == [
        ("CPU µs a request", 3, "no difference seen"),
        ("response time p50, ms", 3, "no difference seen"),
    ]


def test_the_bottleneck_is_named_with_its_evidence() -> None:
    busy = bottleneck([_sample(requests=2000)], 64)
    assert busy == "the processor: 1.8 of 2 cores are used, 89% of that by the app's code and its server"
    one = bottleneck([_sample(workers=1, requests=1150)], 64)
    assert one == "Python's lock: its one process uses 0.9 cores, and 2 are there"
    waits = bottleneck([_sample(requests=100, alone_ms=20.0, others=0.9)], 64)
    assert waits.startswith("waiting: a request that is sent alone takes 20.0 ms, 0.9 ms on a processor;")
    assert bottleneck([_sample(requests=100)], 64).startswith(
        "waiting: only 0.1 of 2 cores are used, with 64"
    )
    assert "other programs: they took 60%" in bottleneck([_sample(requests=800, others=0.6)], 64)
    assert bottleneck([], 64) == ""
