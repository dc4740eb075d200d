"""A server that runs already: only what a client sees is measured."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from urllib.parse import urlsplit

import psutil

from portico.errors import PorticoError, Problem
from portico.measure.model import Contender, Results, Route, Sample
from portico.measure.session import machine
from portico.measure.wrk import LoadError, wrk


def measured_url(
    url: str, named: list[Route], rounds: int, seconds: int, connections: int, say: Callable[[str], None]
) -> Results:
    """Asks for the URL, or for each of the `named` routes at its server. Raises PorticoError if nothing answers."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    asked = named or [Route(f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", "the URL")]
    samples = list[Sample]()
    for number in range(rounds):
        for route in asked:
            say(f"round {number + 1} of {rounds}: GET {origin}{route.path}")
            samples.append(_sample(origin, route.path, number, seconds, connections))
    return Results(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        app=url,
        machine=machine(),
        rounds=rounds,
        seconds=seconds,
        connections=connections,
        routes=asked,
        contenders=[Contender("url", parts.netloc, "as it runs")],
        samples=samples,
        problems=[],
    )


def _sample(origin: str, path: str, number: int, seconds: int, connections: int) -> Sample:
    url = f"{origin}{path}"
    try:
        seen = wrk(url, seconds, connections)
    except LoadError as error:
        raise PorticoError(Problem(url, str(error), "does a server answer there?")) from None
    if not seen.requests:
        raise PorticoError(Problem(url, f"no request was answered in {seconds} s", "does it answer at all?"))
    failed = seen.above_399 + seen.socket_errors + seen.read_errors
    cores = psutil.cpu_count() or 1
    return Sample(
        "url", path, number, seen.requests, seen.seconds, seen.p50_ms, seen.p99_ms, failed, {}, {}, 0, cores
    )
