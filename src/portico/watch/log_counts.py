"""Metrics from the log lines of a running site. Pure: lines in, counters out.

Reading a line takes 3 to 4 us. With too many at once, each n-th is read, with n as its weight; beyond that, one of
many pieces is read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable
from itertools import islice

from portico.decoding import number
from portico.log.request import CLIENT_LEFT, FAILED_MARK, TRACED_MARK, Request
from portico.plan.paths import logged_addresses, without_rules
from portico.plan.web.refusals import GUARDS
from portico.watch.histogram import BOUNDS, Histogram

MOST_ROUTES = 100
"""Routes with numbers of their own; later ones count as OTHER. The same for upstreams and cache words."""
OTHER = "(other)"
APP = "app"
"""The local app's name in [upstream]."""
GATEWAY = "(gateway)"
"""Answered by the gateway itself: files, redirects, refusals."""
UNNAMED = "(no route)"
"""Answered by the app without a route: a 404, or an app without routes."""
SERVER = "(server)"
"""Passed on, with an answer that names no route: it is from a server elsewhere, or there was none."""
MOST_RECENT = 20
_LONGEST_NAME = 120
_MOST_PIDS, _LONGEST_PID = 1000, 10
_BOUNDS_US = tuple(round(bound * 1e6) for bound in BOUNDS)
CLASSES = ("other", "1xx", "2xx", "3xx", "4xx", "5xx", "left", "maintenance")
"""Classes of status; "left": the client left before its answer began, so that it is neither failed nor served;
"maintenance": the site was closed on purpose.
"""
_LEFT, _MAINTENANCE = CLASSES.index("left"), CLASSES.index("maintenance")


class Route:
    """The answers of one route by class of status, and their times."""

    __slots__ = ("classes", "is_kept", "times")

    def __init__(self) -> None:
        self.classes = [0] * len(CLASSES)
        self.is_kept = False
        """The cache has answered for it at least once."""
        self.times = Histogram()


class Metrics:
    """Counters that only grow."""

    def __init__(self, app_sockets: Iterable[str] = (), known: Iterable[str] = ()) -> None:
        self._app = logged_addresses(app_sockets)
        self.known = (GATEWAY, UNNAMED, *(name[:_LONGEST_NAME] for name in islice(known, MOST_ROUTES)))
        """Routes that are listed before their first request."""
        self.lines = 0
        """The number of all lines; an estimate while pieces are skipped."""
        self.estimated = 0
        """How many of them were not read: others of the same moment count for them."""
        self.unreadable = 0
        self.recent: deque[bytes] = deque(maxlen=MOST_RECENT)
        self.traced: deque[bytes] = deque(maxlen=MOST_RECENT)
        self.failed: deque[Request] = deque(maxlen=MOST_RECENT)
        """The last lines, the last of traces, and the last of those answered 5xx, for callers to take."""
        self.bytes_in = self.bytes_out = 0
        self.refused: Counter[str] = Counter()
        """Requests that a guard refused, by its name in the log line."""
        self.would_refuse: Counter[str] = Counter()
        """Requests that a guard let pass in a dry run, by its name."""
        self.retried = 0
        self.by_gateway = 0
        """Answers without the app: the gateway's own, and those of the cache."""
        self.queue, self.app = Histogram(), Histogram()
        self.routes: dict[str, Route] = {}
        self.cache: Counter[str] = Counter()
        self.kept_hits = self.kept_asked = 0
        """Cache hits, of the requests to routes that the cache has answered for: the gateway logs MISS for every other
        page, too, even if it cannot be cached.
        """
        self.workers: Counter[str] = Counter()
        """Requests by the pid of the worker that answered."""
        self.upstreams: Counter[str] = Counter()
        """Requests by upstream: APP, or a server."""

    @property
    def classes(self) -> list[int]:
        """Requests by class of status, as CLASSES has them."""
        return [
            sum(column) for column in zip(*(route.classes for route in self.routes.values()), strict=True)
        ] or [0] * len(CLASSES)

    @property
    def times(self) -> Histogram:
        """The times of all answers."""
        return Histogram.total(route.times for route in self.routes.values())

    def count(self, text: bytes, stride: int = 1, times: int = 1) -> None:
        """Counts complete lines, each with its end; with a stride above 1 about each n-th is read with that weight.

        All failures among them are read: there should be few, and they must not depend on luck. The total is exact.
        `times` is the weight of this piece.
        """
        lines = text.split(b"\n")
        lines.pop()
        self.lines += len(lines) * times
        self.recent.extend(lines[-MOST_RECENT:])
        if TRACED_MARK in text:
            self.traced.extend(line for line in lines if TRACED_MARK in line)
        if stride > 1 and FAILED_MARK in text:
            failed = [line for line in lines if FAILED_MARK in line]
            self._read(failed, times)
            self.estimated += len(failed) * (times - 1)
            lines = [line for line in lines if FAILED_MARK not in line]
        chosen = lines[stride // 2 :: stride] or lines
        if not chosen:
            return
        self.estimated += len(lines) * times - len(chosen)
        weight, rest = divmod(len(lines) * times, len(chosen))
        self._read(chosen[rest:], weight)
        self._read(chosen[:rest], weight + 1)

    def _read(self, lines: list[bytes], weight: int) -> None:
        for raw in lines:
            request = Request.parse(raw)
            if request is None:
                self.unreadable += 1
                continue
            self._add(request, weight)
            if request.is_failed:
                self.failed.append(request)

    def _add(self, request: Request, weight: int) -> None:
        """Twenty thousand times a second: unnecessary calls and lookups are avoided."""
        words = request.worker.split(" ", 4)
        status, seconds, upstream = request.status, request.seconds, request.upstream
        has_worker = len(words) == 5
        route = self.routes.get(words[4]) if has_worker else None
        if route is None:
            route = self._route(words[4] if has_worker else SERVER if upstream or request.cache else GATEWAY)
        group = _LEFT if status == CLIENT_LEFT else status // 100 if 100 <= status < 600 else 0
        if group == 5 and request.is_closed_site:
            group = _MAINTENANCE
        route.classes[group] += weight
        times = route.times
        times.steps[bisect_left(BOUNDS, seconds)] += weight
        times.sum += seconds * weight
        self.bytes_in += request.bytes_in * weight
        self.bytes_out += request.bytes_out * weight
        if not upstream:
            # A page from the cache has its old X-Portico: the route is right, the times are another request's.
            self.by_gateway += weight
        else:
            if without_rules(upstream) in self._app:
                self.upstreams[APP] += weight
            else:
                self._add_server(upstream, weight)
            if has_worker and not (request.cache and request.is_cache_hit):
                self._add_worker(words, weight)
        if request.cache:
            self.cache[
                request.cache if request.cache in self.cache or len(self.cache) < MOST_ROUTES else OTHER
            ] += weight
            if request.is_cache_hit:
                route.is_kept = True
                self.kept_hits += weight
            if route.is_kept:
                self.kept_asked += weight
        if request.refused_by:
            self._add_guard(request, weight)

    def _add_guard(self, request: Request, weight: int) -> None:
        guard = request.would_be_refused_by
        counts = self.would_refuse if guard else self.refused
        guard = guard or request.refused_by
        counts[guard if guard in GUARDS else OTHER] += weight

    def _route(self, name: str) -> Route:
        """The route of a request that is not in `routes` under its exact words."""
        name = UNNAMED if name == "-" else name[:_LONGEST_NAME]
        if len(self.routes) >= MOST_ROUTES and name not in (GATEWAY, UNNAMED, SERVER):
            name = OTHER
        return self.routes.setdefault(name, Route())

    def _add_server(self, upstream: str, weight: int) -> None:
        if ", " in upstream:
            self.retried += weight
            upstream = upstream.rpartition(", ")[2]
        if without_rules(upstream) in self._app:
            upstream = APP
        if upstream not in self.upstreams and len(self.upstreams) >= MOST_ROUTES:
            upstream = OTHER
        self.upstreams[upstream] += weight

    def _add_worker(self, words: list[str], weight: int) -> None:
        queue, app, pid, _, _ = words
        try:
            taken = number(app)
            self.app.steps[bisect_left(_BOUNDS_US, taken)] += weight
            self.app.sum += taken * weight / 1e6
            if queue != "-":
                waited = number(queue)
                self.queue.steps[bisect_left(_BOUNDS_US, waited)] += weight
                self.queue.sum += waited * weight / 1e6
        except ValueError:
            return  # a server elsewhere has an X-Portico of its own
        if pid in self.workers:
            self.workers[pid] += weight
        elif len(self.workers) < _MOST_PIDS and len(pid) <= _LONGEST_PID:
            self.workers[pid] = weight
