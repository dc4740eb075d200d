"""What Portico itself costs, and what a reload costs those who ask meanwhile."""

from __future__ import annotations

import time

from tests.faults.clients import Clients
from tests.faults.outcome import Outcome, judged
from tests.faults.stage import staged

RATIO, MEGABYTES = 2.0, 48.0
STEADY_SECONDS = 1.5
AFTER_SECONDS = 0.4
"""The old release leaves."""


def latency(times: int) -> Outcome:
    """p99 of the one-line view during reloads against that between them."""
    with staged() as stage, Clients(stage.port, mix=("GET /",)) as clients:
        steady_spans, reload_spans = list[tuple[float, float]](), list[tuple[float, float]]()
        for turn in range(times):
            time.sleep(AFTER_SECONDS)
            began = time.monotonic()
            time.sleep(STEADY_SECONDS)
            reloading = time.monotonic()
            stage.release(str(turn))
            stage.reload()
            time.sleep(AFTER_SECONDS)
            steady_spans.append((began, reloading))
            reload_spans.append((reloading, time.monotonic()))
        steady, during = clients.p99(steady_spans), clients.p99(reload_spans)
        ratio = during / steady
        wrong = [] if ratio <= RATIO else [f"p99 is {ratio:.1f} times the steady one, promised {RATIO:g}"]
        return judged(
            f"p99 of the one-line view during {times} reloads", f"p99 at most {RATIO:g} x", stage, clients,
            broken=wrong,
            remarks=[f"{1000 * during:.1f} ms, steady {1000 * steady:.1f} ms: {ratio:.1f} x"],
        )  # fmt: skip


def control_process(seconds: float) -> Outcome:
    """Portico's own process: its memory after some load and a reload, and its CPU when nobody asks."""
    with staged() as stage:
        with Clients(stage.port) as clients:
            time.sleep(1)
            stage.reload()
        time.sleep(2)
        control = stage.control()
        before, began = sum(control.cpu_times()[:2]), time.monotonic()
        time.sleep(seconds)
        share = (sum(control.cpu_times()[:2]) - before) / (time.monotonic() - began)
        memory = control.memory_info().rss / 1e6
        wrong = [] if memory <= MEGABYTES else [f"{memory:.1f} MB, promised {MEGABYTES:g}"]
        return judged(
            "Portico's own process", f"at most {MEGABYTES:g} MB", stage, clients, broken=wrong,
            remarks=[f"{memory:.1f} MB resident, {100 * share:.2f} % of a core while idle for {seconds:g} s"],
        )  # fmt: skip
