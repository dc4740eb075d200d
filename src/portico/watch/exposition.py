"""The metrics in Prometheus' format (https://prometheus.io/docs/instrumenting/exposition_formats/), 0.0.4.

Sixty lines of code: `prometheus-client` would take 3.4 MB of a process that must stay small, and 0.8 us for each of
the five numbers of a request. The tests parse the output with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from portico.protocol.status import BansStatus, CertificateStatus, SiteStatus
from portico.watch.histogram import Histogram
from portico.watch.log_counts import CLASSES, Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = Mapping[str, str]
Sample = tuple[Labels, float]


def exposition(metrics: Metrics, status: SiteStatus, traced: Mapping[str, int] | None = None) -> str:
    """All metrics; `status` is the answer to `portico status`, with `connections` and `restarts`.

    `traced` are the requests whose spans were sent, and the others, if spans are sent at all.
    """
    families = [*_families(metrics, status)]
    if traced is not None:
        what = "Requests of sampled traces, by what became of their spans: sent, thinned (too many), or lost."
        families.append(_counter("traced_requests_total", what, _by("result", traced)))
    return "".join(f"{line}\n" for family in families for line in family)


def _families(m: Metrics, status: SiteStatus) -> Iterator[Iterator[str]]:
    yield _family(
        "requests_total", "counter",
        "Requests by route and class of status; left: the client left before its answer began; "
        "maintenance: the site was closed.", _requests(m),
    )  # fmt: skip
    yield _histograms(
        "request_seconds", "From the first byte of a request to the last of its answer, as the gateway saw it.",
        (({"route": name}, route.times) for name, route in m.routes.items()),
    )  # fmt: skip
    yield _histograms(
        "app_seconds", "From a worker taking a request to the head of its answer.", [({}, m.app)]
    )
    yield _histograms(
        "queue_seconds", "From the gateway passing a request on to a worker taking it.", [({}, m.queue)]
    )
    yield _counter(
        "cache_total", "Requests that asked the gateway's cache, by its answer.", _by("result", m.cache)
    )
    yield _counter(
        "upstream_requests_total", "Requests by who answered the gateway.", _by("upstream", m.upstreams)
    )
    yield _counter("bytes_received_total", "Bytes of requests, heads and bodies.", [({}, m.bytes_in)])
    yield _counter("bytes_sent_total", "Bytes of answers, heads and bodies.", [({}, m.bytes_out)])
    yield _counter(
        "refused_total", "Requests that a guard answered in the app's place.", _by("guard", m.refused)
    )
    yield _counter(
        "would_refuse_total", "Requests that a guard would have answered if it were no dry run.",
        _by("guard", m.would_refuse),
    )  # fmt: skip
    yield _counter(
        "retried_total", "Requests that were tried at a second server or socket.", [({}, m.retried)]
    )
    yield _counter("gateway_answers_total", "Requests answered without the app.", [({}, m.by_gateway)])
    yield _counter("log_lines_total", "Log lines that came.", [({}, m.lines)])
    yield _counter(
        "log_lines_estimated_total", "Of them not read, because too many came at once: others stood for them.",
        [({}, m.estimated)],
    )  # fmt: skip
    yield _counter(
        "log_lines_unreadable_total", "Of them those that could not be read.", [({}, m.unreadable)]
    )
    yield from _of_status(status)


def _requests(m: Metrics) -> Iterator[Sample]:
    """The usual classes of each known route from the beginning, at 0: otherwise `increase()` misses the first value."""
    nothing = [0] * len(CLASSES)
    counts = dict.fromkeys(m.known, nothing) | {name: route.classes for name, route in m.routes.items()}
    for name, classes in counts.items():
        for group, count in zip(CLASSES, classes, strict=True):
            if count or group in _USUAL:
                yield {"route": name, "status": group}, count


_USUAL = frozenset({"2xx", "3xx", "4xx", "5xx", "left", "maintenance"})


def _of_status(status: SiteStatus) -> Iterator[Iterator[str]]:
    yield _gauge("up_seconds", "For how long Portico has run.", [({}, status.up_seconds)])
    yield _gauge("connections", "Client connections that are open.", [({}, status.connections)])
    yield _gauge("queue_waiting", "Requests that wait for a worker.", [({}, status.queue.waiting)])
    yield _gauge("workers_busy", "Requests that workers have in hand.", [({}, status.queue.with_app)])
    yield from _of_processes(status)
    yield from _of_bans([status.bans] if status.bans else [])
    yield _gauge("release_live", "The release that gets the requests.", [({}, status.live)])
    yield _gauge("releases", "Releases that run: two during a reload.", [({}, len(status.releases))])
    servers = status.servers
    yield _gauge(
        "server_in", "1 for a server of the upstream that gets requests, 0 for one that is out.",
        (({"server": one.name}, int(one.status == "in")) for one in servers),
    )  # fmt: skip
    yield from _of_certificates([status.certificate] if status.certificate else [])


def _of_processes(status: SiteStatus) -> Iterator[Iterator[str]]:
    releases = status.releases
    workers = [({"release": str(one.number)}, worker) for one in releases for worker in one.workers]
    yield _gauge(
        "workers", "Workers that run, by release.",
        (({"release": str(one.number)}, len(one.workers)) for one in releases),
    )  # fmt: skip
    yield _gauge(
        "workers_cannot_load", "1 when a new worker of the release cannot load the app, by release.",
        (({"release": str(one.number)}, int(bool(one.cannot_load))) for one in releases),
    )  # fmt: skip
    yield _gauge(
        "workers_other_code", "Workers with other code than their release began with, by release.",
        (({"release": str(one.number)}, len(one.other_code.pids))
         for one in releases),
    )  # fmt: skip
    yield _gauge(
        "worker_memory_bytes", "Memory of a worker; what workers share is divided among them.",
        ((labels | {"pid": str(worker.pid)}, worker.memory) for labels, worker in workers),
    )  # fmt: skip
    yield _gauge(
        "memory_bytes", "Memory of Portico, the gateway and the app server, each with all its processes.",
        [({"part": "portico"}, status.memory), ({"part": "gateway"}, status.gateway.memory),
         ({"part": "app"}, sum(one.memory for one in releases))],
    )  # fmt: skip
    yield _gauge(
        "process_up", "1 for a background process that runs, 0 for one that waits for its next start.",
        (({"process": one.name}, int(one.status == "running")) for one in status.background
         if one.status != "leaving"),
    )  # fmt: skip
    yield _counter(
        "restarts_total", "Processes that ended and were started again.", _by("process", status.restarts)
    )
    yield _counter(
        "workers_started_total", "Workers that were seen to start.", [({}, status.workers_started or 0)]
    )


def _of_bans(bans: list[BansStatus]) -> Iterator[Iterator[str]]:
    yield _gauge(
        "banned_clients", "Clients that are refused everything for a while, with guard.ban.",
        (({}, one.banned) for one in bans),
    )  # fmt: skip
    yield _counter("bans_total", "Bans of clients since the start.", (({}, one.total) for one in bans))


def _of_certificates(certificates: list[CertificateStatus]) -> Iterator[Iterator[str]]:
    yield _gauge(
        "certificate_days", "Days until the certificate of a name expires.",
        (({"name": name}, one.days_left) for one in certificates for name in one.names),
    )  # fmt: skip
    yield _gauge(
        "certificate_warning_days",
        "Days until a certificate should have been renewed, by its own length; below 0 it needs attention.",
        (({"name": name}, _days_until(one.warn_at)) for one in certificates for name in one.names),
    )


def _days_until(moment: float) -> float:
    return round((moment - time.time()) / 86400, 2)


def _by(label: str, counts: Mapping[str, float]) -> Iterator[Sample]:
    return (({label: name}, count) for name, count in counts.items())


def _counter(name: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    return _family(name, "counter", help_text, samples)


def _gauge(name: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    return _family(name, "gauge", help_text, samples)


def _family(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield from _head(name, kind, help_text)
    for labels, value in samples:
        yield f"portico_{name}{_labels(labels)} {_number(value)}"


def _histograms(name: str, help_text: str, many: Iterable[tuple[Labels, Histogram]]) -> Iterator[str]:
    yield from _head(name, "histogram", help_text)
    for labels, histogram in many:
        total = histogram.count
        for bound, count in histogram.cumulative():
            yield f"portico_{name}_bucket{_labels({**labels, 'le': _number(bound)})} {count}"
        yield f"portico_{name}_bucket{_labels({**labels, 'le': '+Inf'})} {total}"
        yield f"portico_{name}_sum{_labels(labels)} {_number(histogram.sum)}"
        yield f"portico_{name}_count{_labels(labels)} {total}"


def _head(name: str, kind: str, help_text: str) -> Iterator[str]:
    yield f"# HELP portico_{name} {help_text}"
    yield f"# TYPE portico_{name} {kind}"


def _labels(labels: Labels) -> str:
    words = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{words}}}" if words else ""


def _escaped(value: str) -> str:
    """A route's name comes from the app, and may be anything."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(round(float(value), 6))
