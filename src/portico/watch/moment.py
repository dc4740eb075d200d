"""From counters that only grow to the last second, the last five, the last minute. Pure."""

from __future__ import annotations

from collections import deque

from msgspec.structs import asdict

from portico.protocol.feed import Now, Numbers, Route, Second
from portico.watch.histogram import Histogram
from portico.watch.log_counts import Metrics

HISTORY_SECONDS = 600
NOW_SECONDS = 5
"""The length of "now": one second alone is noise with few requests."""
_ROUTE_STEP, _ROUTE_STEPS = 10, 6
"""Routes are compared with a minute ago, within ten seconds."""
_MOST_ROUTES = 25


class Totals:
    """The counters at one time."""

    def __init__(self, metrics: Metrics, at: float) -> None:
        self.at = at
        self.classes, self.times = metrics.classes, metrics.times
        self.queue, self.app = metrics.queue.copy(), metrics.app.copy()
        self.hits, self.asked = metrics.kept_hits, metrics.kept_asked
        self.by_gateway, self.estimated = metrics.by_gateway, metrics.estimated
        self.refused = metrics.refused.total()
        self.bytes_in, self.bytes_out = metrics.bytes_in, metrics.bytes_out
        self.workers, self.upstreams = dict(metrics.workers), dict(metrics.upstreams)


class Moments:
    """Fed once a second; keeps ten minutes of numbers by the second."""

    def __init__(self, metrics: Metrics, at: float) -> None:
        self._metrics = metrics
        self.history: deque[Second] = deque(maxlen=HISTORY_SECONDS)
        self._totals: deque[Totals] = deque([Totals(metrics, at)], maxlen=NOW_SECONDS + 1)
        self._routes: deque[dict[str, tuple[int, int, Histogram]]] = deque([{}], maxlen=_ROUTE_STEPS)
        self._ticks = 0

    def tick(
        self,
        at: float,
        *,
        memory: tuple[int, ...] = (),
        waiting: int = 0,
        with_app: int = 0,
        connections: int = 0,
    ) -> Second:
        """Closes a second that ended at the Unix time `at`, with the state of the processes."""
        before, totals = self._totals[-1], Totals(self._metrics, at)
        self._totals.append(totals)
        second = Second(
            **asdict(_between(before, totals)), time=round(at, 2),
            memory=memory, waiting=waiting, with_app=with_app, connections=connections,
        )  # fmt: skip
        self.history.append(second)
        self._ticks += 1
        if self._ticks % _ROUTE_STEP == 0:
            self._routes.append(
                {
                    name: (sum(route.classes), route.classes[5], route.times.copy())
                    for name, route in self._metrics.routes.items()
                }
            )
        return second

    def now(self) -> Now:
        """The last seconds together: rates by the second, times in milliseconds."""
        first, last = self._totals[0], self._totals[-1]
        seconds = max(last.at - first.at, 0.001)
        return Now(
            **asdict(_between(first, last)),
            workers=_rates(first.workers, last.workers, seconds),
            upstreams=_rates(first.upstreams, last.upstreams, seconds),
        )

    def routes(self) -> tuple[Route, ...]:
        """The routes with requests in the last minute, the slowest first."""
        before = self._routes[0]
        found = [self._route(name, *before.get(name, (0, 0, None))) for name in self._metrics.routes]
        asked = [route for route in found if route.requests]
        return tuple(sorted(asked, key=lambda route: -(route.p95 or 0))[:_MOST_ROUTES])

    def _route(self, name: str, requests: int, failed: int, times: Histogram | None) -> Route:
        route = self._metrics.routes[name]
        p50, p95 = route.times.since(times).quantiles(0.5, 0.95)
        return Route(name, sum(route.classes) - requests, route.classes[5] - failed, _ms(p50), _ms(p95))


def _between(first: Totals, last: Totals) -> Numbers:
    seconds = max(last.at - first.at, 0.001)
    classes = [now - then for now, then in zip(last.classes, first.classes, strict=True)]
    p50, p95, p99 = last.times.since(first.times).quantiles(0.5, 0.95, 0.99)
    (queue,), (app,) = (
        last.queue.since(first.queue).quantiles(0.95),
        last.app.since(first.app).quantiles(0.95),
    )
    return Numbers(
        rate=round(sum(classes) / seconds, 2),
        classes=tuple(round(count / seconds, 2) for count in classes),
        p50=_ms(p50), p95=_ms(p95), p99=_ms(p99), queue_p95=_ms(queue), app_p95=_ms(app),
        hits=last.hits - first.hits,
        asked=last.asked - first.asked,
        by_gateway=round((last.by_gateway - first.by_gateway) / seconds, 2),
        refused=round((last.refused - first.refused) / seconds, 2),
        bytes_in=round((last.bytes_in - first.bytes_in) / seconds),
        bytes_out=round((last.bytes_out - first.bytes_out) / seconds),
        estimated=last.estimated > first.estimated,
    )  # fmt: skip


def _rates(first: dict[str, int], last: dict[str, int], seconds: float) -> dict[str, float]:
    changed = ((name, count - first.get(name, 0)) for name, count in last.items())
    return {name: round(count / seconds, 2) for name, count in changed if count}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
