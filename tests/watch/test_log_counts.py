"""Counting log lines: exactly when they can all be read, honestly when they cannot; bounded whatever comes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from portico.protocol.status import (
    CertificateStatus,
    GatewayStatus,
    Queue,
    ReleaseStatus,
    ServerStatus,
    SiteStatus,
    Worker,
)
from portico.watch.exposition import exposition
from portico.watch.histogram import BOUNDS, SHOWN, Histogram
from portico.watch.log_counts import APP, GATEWAY, MOST_ROUTES, OTHER, SERVER, UNNAMED, Metrics
from portico.watch.moment import Moments

SOCKET = "/run/shop/app.sock"
STATUS = SiteStatus(
    name="shop",
    app="app:app",
    phase="serving",
    pid=1,
    up_seconds=12.5,
    connections=3,
    queue=Queue(waiting=1, with_app=2),
    memory=1,
    gateway=GatewayStatus("well", memory=2),
    releases=(ReleaseStatus(4, "well", memory=9, workers=(Worker(77, 1.0, 5),)),),
    restarts={"nginx": 1},
    workers_started=2,
    live=4,
    servers=(ServerStatus("10.0.0.2:8000", "out"),),
)
CERTIFICATE = CertificateStatus(
    mode="auto", source="auto", refused=False, phase="good", names=("shop.example", "www.shop.example"), missing=(),
    issuer="X", serial="1", fingerprint="", trusted=True, not_before=0, not_after=0, warn_at=0, urgent_at=0,
    days_left=61.5, server="x", next_attempt=None, last_attempt=None, last_success=None, failures=0, problems=(),
    addresses=(), hsts_seconds=0, well_since=None, authority=None,
)  # fmt: skip


def line(**more: Any) -> bytes:
    """As nginx writes it; `worker` and the rest as the app would have answered."""
    fields = {
        "time": "2026-11-21T12:00:00+00:00", "id": "0", "client": "127.0.0.1", "method": "GET", "uri": "/",
        "status": 200, "bytes_in": 100, "bytes_out": 1000, "cache": "", "seconds": 0.01, "upstream": f"unix:{SOCKET}",
        "worker": "1000 8000 77 1 home",
    } | more  # fmt: skip
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def counted(*lines: bytes, stride: int = 1) -> Metrics:
    metrics = Metrics([SOCKET])
    metrics.count(b"".join(lines), stride)
    return metrics


def test_each_line_counts_where_it_belongs() -> None:
    metrics = counted(
        line(),
        line(status=404, worker="- 500 77 1 -"),
        line(status=502, upstream="unix:/run/shop/app.sock, unix:/run/shop/app.1.sock", worker=""),
        line(status=304, upstream="", worker="", bytes_out=90),
        line(upstream="", cache="HIT", worker="9 99 77 1 page"),
        line(status=429, upstream="", worker="", refused_by="rate"),
        line(status=429, worker="1 1 77 1 home"),
        line(status=503, upstream="", worker="", refused_by="connections"),
        line(status=503, upstream="", worker="", refused_by="maintenance"),
        line(status=499, worker=""),
    )
    assert {name: route.classes for name, route in metrics.routes.items()} == {
        "home": [0, 0, 1, 0, 1, 0, 0, 0],
        UNNAMED: [0, 0, 0, 0, 1, 0, 0, 0],
        SERVER: [0, 0, 0, 0, 0, 1, 1, 0],
        GATEWAY: [0, 0, 0, 1, 1, 1, 0, 1],
        "page": [0, 0, 1, 0, 0, 0, 0, 0],
    }
    assert metrics.refused == {"rate": 1, "connections": 1, "maintenance": 1}  # the app's 429 is the app's
    assert counted(line(refused_by="rate, dry run")).refused == {}
    assert metrics.by_gateway == 5
    assert metrics.retried == 1
    assert metrics.upstreams == {APP: 4, "unix:/run/shop/app.1.sock": 1}
    assert metrics.cache == {"HIT": 1}
    assert metrics.workers == {"77": 3}
    assert metrics.app.count == 3  # not that of the page in the cache, which is another request's
    assert metrics.queue.count == 2
    assert metrics.bytes_in == 1000


def test_the_share_of_the_cache_counts_only_what_it_keeps() -> None:
    """nginx says MISS of every page that asked, though nobody may keep most of them."""
    own, hit = line(cache="MISS"), line(upstream="", cache="HIT", worker="9 99 77 1 page")
    metrics = counted(*[own] * 50)
    assert (metrics.kept_hits, metrics.kept_asked) == (0, 0)
    metrics.count(line(cache="MISS", worker="9 99 77 1 page") + hit * 8 + own * 5)
    metrics.count(line(cache="EXPIRED", worker="9 99 77 1 page") + line(cache="MISS", worker="9 9 77 1 page"))
    assert (metrics.kept_hits, metrics.kept_asked) == (8, 10)
    elsewhere = line(cache="MISS", worker="", upstream="10.0.0.2:80")
    metrics = counted(line(cache="HIT", worker="", upstream=""), elsewhere * 3)
    assert (metrics.kept_hits, metrics.kept_asked) == (1, 4)


@pytest.mark.parametrize(
    "damaged",
    [b"", b"{", b"[]", b'{"status":"2"}', b'{"status":000}', b"null", b"\xff\xfe", b'{"seconds":1}', b'{"status":200'],
)  # fmt: skip
def test_a_damaged_line_is_counted_and_disturbs_nothing(damaged: bytes) -> None:
    metrics = counted(line(), damaged + b"\n", line())
    assert (metrics.lines, metrics.unreadable, sum(metrics.classes)) == (3, 1, 2)


def test_what_is_not_utf8_is_counted_all_the_same() -> None:
    metrics = counted(line(uri="/x").replace(b'"/x"', b'"/\xff\xfe"'))
    assert sum(metrics.classes) == 1


def test_sets_of_names_are_bounded() -> None:
    many = [line(worker=f"1 1 {n} 1 r{n}", upstream=f"10.0.0.1:{n}", cache=f"C{n}") for n in range(3000)]
    metrics = counted(*many)
    assert len(metrics.routes) <= MOST_ROUTES + 4
    assert sum(metrics.routes[OTHER].classes) == 3000 - MOST_ROUTES
    assert len(metrics.upstreams) <= MOST_ROUTES + 1
    assert len(metrics.cache) <= MOST_ROUTES + 1
    assert len(metrics.workers) <= 1000
    assert sum(metrics.classes) == 3000


def test_a_part_of_the_lines_stands_for_all_and_no_failure_is_missed() -> None:
    lines = [line(status=500 if n % 97 == 0 else 200) for n in range(10_000)]
    metrics = counted(*lines, stride=7)
    failed = len(range(0, 10_000, 97))
    assert metrics.classes[5] == failed
    assert metrics.classes[2] == 10_000 - failed
    assert metrics.lines == 10_000
    assert metrics.estimated == pytest.approx((10_000 - failed) * 6 / 7, abs=7)


@pytest.mark.parametrize("stride", [1, 7])
def test_one_text_of_many_stands_for_all(stride: int) -> None:
    metrics = Metrics()
    text = b"".join(line(status=503 if n % 100 == 0 else 200, bytes_out=10) for n in range(1000))
    metrics.count(text, stride, times=5)
    assert metrics.lines == sum(metrics.classes) == 5000
    assert metrics.classes[5] == 50
    assert metrics.bytes_out == 50_000
    assert 4000 <= metrics.estimated < 5000
    assert len(metrics.failed) == 10


def test_a_stranger_cannot_make_a_failure_of_a_good_answer() -> None:
    metrics = counted(line(uri='/"status":500', agent='"status":5'), stride=2)
    assert metrics.classes[5] == 0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_a_percentile_is_right_to_one_step(times: list[float]) -> None:
    histogram = Histogram()
    for seconds in times:
        histogram.add(seconds)
    found = histogram.quantiles(0.5, 0.95)
    for share, quantile in zip((0.5, 0.95), found, strict=True):
        exact = sorted(times)[min(len(times) - 1, max(0, -(-len(times) * share // 1).__int__() - 1))]
        assert quantile is not None
        assert quantile <= max(exact * 1.3, BOUNDS[0]) + 1e-9
        assert quantile >= min(exact / 1.3, BOUNDS[-1]) - BOUNDS[0]


def test_prometheus_reads_what_is_written() -> None:
    nasty = 'a"b\\c{}'
    metrics = counted(
        line(worker=f"1 1 77 1 {nasty}"), line(seconds=0.3), line(seconds=300), line(status=500)
    )
    families = {item.name: item for item in text_string_to_metric_families(exposition(metrics, STATUS))}
    counts = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for sample in families["portico_requests"].samples
        if sample.value
    }
    assert counts == {(nasty, "2xx"): 1, ("home", "2xx"): 2, ("home", "5xx"): 1}
    buckets = {
        sample.labels["le"]: sample.value
        for sample in families["portico_request_seconds"].samples
        if sample.name.endswith("_bucket") and sample.labels["route"] == "home"
    }
    assert len(buckets) == len(SHOWN) + 1
    assert (buckets["0.01"], buckets["0.25"], buckets["0.5"], buckets["25.0"], buckets["+Inf"]) == (
        1,
        1,
        2,
        2,
        3,
    )
    assert families["portico_workers_busy"].samples[0].value == 2
    assert families["portico_server_in"].samples[0].value == 0


def test_a_moment_is_what_came_in_it() -> None:
    metrics = Metrics([SOCKET])
    moments = Moments(metrics, 100.0)
    for second in range(1, 31):
        metrics.count(line(status=500) + line() * 9)
        told = moments.tick(100.0 + second, waiting=0)
    assert told.rate == 10
    assert told.classes == (0, 0, 9, 0, 0, 1, 0, 0)
    assert moments.now().rate == 10
    assert moments.now().workers == {"77": 10}
    assert len(moments.history) == 30
    (route,) = moments.routes()
    assert (route.route, route.requests, route.failed) == ("home", 300, 30)
    for second in range(31, 200):
        moments.tick(100.0 + second, waiting=0)
    assert moments.now().rate == 0
    assert moments.routes() == ()


def test_every_metric_is_explained_and_grafana_asks_for_no_other() -> None:
    docs = Path(__file__).parents[2] / "docs"
    written = set(re.findall(r"^# TYPE (\w+) ", exposition(Metrics(), STATUS), re.M))
    page = (docs / "metrics.md").read_text().replace("`_", "`portico_log_lines_")
    assert {name for name in written if f"`{name}`" not in page} == set()
    board = json.loads((docs / "grafana.json").read_text())
    asked = {
        name.removesuffix("_bucket")
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\bportico_\w+", target["expr"])
    }
    assert asked <= written
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_a_traced_request_is_not_lost_among_many() -> None:
    metrics = Metrics()
    traced = b'{"status":200,"agent":"portico-trace"}\n'
    metrics.count(traced + b'{"status":200,"agent":"x"}\n' * 500, 3)
    metrics.count(b'{"status":200,"agent":"x"}\n' * 500, 3)
    assert [*metrics.traced] == [traced.rstrip()]
    assert traced.rstrip() not in metrics.recent


def test_each_name_of_the_certificate_has_its_days() -> None:
    status = replace(STATUS, certificate=CERTIFICATE)
    families = {item.name: item for item in text_string_to_metric_families(exposition(Metrics(), status))}
    found = {one.labels["name"]: one.value for one in families["portico_certificate_days"].samples}
    assert found == {"shop.example": 61.5, "www.shop.example": 61.5}
