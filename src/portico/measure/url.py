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
    url: str, rounds: int, seconds: int, connections: int, say: Callable[[str], None]
) -> Results:
    """Raises PorticoError if nothing answers there."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    samples = list[Sample]()
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: GET {url}")
        try:
            seen = wrk(url, seconds, connections)
        except LoadError as error:
            raise PorticoError(Problem(url, str(error), "does a server answer there?")) from None
        if not seen.requests:
            raise PorticoError(
                Problem(url, f"no request was answered in {seconds} s", "does it answer at all?")
            )
        failed = seen.above_399 + seen.socket_errors + seen.read_errors
        cores = psutil.cpu_count() or 1
        samples.append(
            Sample(
                "url",
                path,
                number,
                seen.requests,
                seen.seconds,
                seen.p50_ms,
                seen.p99_ms,
                failed,
                {},
                {},
                0,
                cores,
            )
        )
    return Results(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        app=url,
        machine=machine(),
        rounds=rounds,
        seconds=seconds,
        connections=connections,
        routes=[Route(path, "the URL")],
        contenders=[Contender("url", parts.netloc, "as it runs")],
        samples=samples,
        problems=[],
    )
