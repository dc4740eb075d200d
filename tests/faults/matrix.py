"""Every fault, with its amounts for the ordinary test run and for `make faults`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.faults import clock, figures, kills, pairs, releases, service, shortages
from tests.faults.outcome import Outcome


@dataclass(frozen=True)
class Fault:
    """`short` and `long` are what `run` is called with: counts (int) or seconds (float)."""

    key: str
    run: Callable[[Any], Outcome]
    short: float
    long: float


MATRIX = (
    Fault("reloads", releases.reloads, 4, 20),
    Fault("configuration", releases.configuration, 3, 20),
    Fault("configuration-old-nginx", releases.configuration_of_an_old_nginx, 3, 20),
    Fault("in-flight", releases.in_flight, 2.0, 8.0),
    Fault("slow-boot", releases.slow_boot, 1.0, 20.0),
    Fault("too-slow-boot", releases.boot_too_slow, 15.0, 20.0),
    Fault("app-worker", kills.app_worker, 3, 20),
    Fault("arbiter", kills.arbiter, 1, 3),
    Fault("nginx-worker", kills.nginx_worker, 3, 20),
    Fault("nginx-master", kills.nginx_master, 1, 3),
    Fault("portico", kills.portico_itself, 1, 5),
    Fault("portico-kept-socket", kills.portico_with_a_kept_socket, 1, 5),
    Fault("stopped-worker", kills.worker_stopped, 2.0, 10.0),
    Fault("disk", shortages.disk_full, 1.0, 10.0),
    Fault("files", shortages.worker_out_of_files, 2.5, 10.0),
    Fault("connections", shortages.nginx_out_of_connections, 200, 1000),
    Fault("files-at-start", shortages.too_few_files_to_start, 10, 10),
    Fault("port", shortages.port_taken, 1, 1),
    Fault("leak", shortages.leak, 3.0, 20.0),
    Fault("clock", clock.clock_jumps, 2, 8),
    Fault("control", figures.control_process, 3.0, 20.0),
)
LONG_ONLY = (Fault("latency", figures.latency, 5, 20), Fault("systemd", service.service, 1, 5))
"""What says something only on a machine that does nothing else, and what needs more rights than a test has."""
EVERY = MATRIX + LONG_ONLY
PAIRS = tuple(Fault(pairs.key(pair), partial(pairs.meet, pair), 0, 0) for pair in pairs.pairs())
"""Two faults at once, every pair that can meet; only `make faults` tries them all."""
SHORT_PAIRS = tuple(
    fault
    for fault in PAIRS
    if fault.key
    in (
        "recycling+refused-reload",
        "recycling+rollback",
        "download+configuration",
        "refused-reload+arbiter",
        "disk+portico",
    )
)
"""One of each kind, for the ordinary test run."""
