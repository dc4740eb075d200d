"""The one reader of the access log: whatever stands in a line, it is a request or it is counted and said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portico.log.count import Counts, counted
from portico.log.reader import last_lines, request_reader
from portico.log.request import Request
from portico.plan.paths import socket_aliases
from portico.plan.web.log import FIELDS, NUMBERS, OF_REFUSED, OF_RULES, TRACING_FIELDS
from portico.run.watchers.served import Served
from portico.watch.compare_releases import tally
from portico.watch.lines import detail, readable
from portico.watch.log_counts import APP, Metrics
from portico.watch.rings import Requests

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ANY = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.lists(TEXT, max_size=2)
AS_NGINX_WRITES = st.fixed_dictionaries(
    {"time": st.just("2026-11-29T01:43:59+00:00"), "status": st.integers(100, 599)},
    optional={name: TEXT for name in FIELDS if name not in NUMBERS | {"time"}}
    | {name: st.integers(0, 1 << 40) for name in ("bytes_in", "bytes_out", "seconds", "connection")},
)
NAMES = st.sampled_from([*FIELDS, *TRACING_FIELDS, "x"])
HOSTILE = (
    st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b""))
    | st.dictionaries(NAMES, ANY, max_size=6).map(lambda fields: json.dumps(fields).encode())
    | AS_NGINX_WRITES.map(lambda fields: line(**fields)[: len(line(**fields)) // 2])
    | AS_NGINX_WRITES.map(lambda fields: json.dumps(fields, ensure_ascii=False).encode("utf-16-le"))
    .map(lambda raw: raw.replace(b"\n", b""))
)  # fmt: skip


def line(**fields: Any) -> bytes:
    """As nginx writes it: its time first, no space, UTF-8."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


@given(st.lists(HOSTILE | AS_NGINX_WRITES.map(lambda fields: line(**fields)), max_size=6))
@example([b'{"status":200,"x":' + b"[" * 100_000])
@example([b'{"status":200,"seconds":1e999}', b'{"status":NaN}', b'{"status":000}'])
@example([b'{"status":200,"uri":"\xff","id":"\xed\xa0\x80"}'])
def test_every_reader_agrees_which_lines_are_requests(lines: list[bytes]) -> None:
    reader = request_reader()
    found = [*reader.read(lines)]
    unread = reader.unread
    assert len(found) + unread == len(lines)
    assert bool(reader.complaint()) == bool(unread)
    assert reader.complaint() == ""  # each is said once
    metrics, page = Metrics(), Requests()
    metrics.count(b"".join(each + b"\n" for each in lines))
    assert (metrics.unreadable, sum(metrics.classes)) == (unread, len(found))
    assert metrics.classes[CLASS_LEFT] == sum(one.outcome == "left" for one in found)
    assert metrics.classes[5] == sum(one.outcome == "failed" and one.status < 600 for one in found)
    assert len(page.add(lines)) == len(found)
    for one in found:
        assert "\n" not in readable(one, 80) + detail(one)
        json.dumps(one.record(), allow_nan=False)


CLASS_LEFT = 6


def test_every_field_that_is_written_is_read() -> None:
    assert Request.__struct_fields__ == (*FIELDS, *TRACING_FIELDS, *OF_RULES, *OF_REFUSED)


@given(AS_NGINX_WRITES)
def test_what_nginx_writes_comes_back(fields: dict[str, Any]) -> None:
    request = Request.parse(line(**fields))
    assert request is not None
    assert request.record() | fields == request.record()


@given(
    st.lists(st.sampled_from([503, *range(100, 600)]), max_size=9),
    st.sampled_from(
        [{}, {"upstream": "unix:/run/app.sock"}, {"refused_by": "rate"}, {"refused_by": "maintenance"}]
    ),
    st.sampled_from(["", "garbage", "[]"]),
)
def test_what_is_counted_as_bytes_agrees_with_what_is_read(
    statuses: list[int], more: dict[str, str], bad: str
) -> None:
    """A line that was cut, with an end or without one."""
    good = [line(time="t", uri='"status":500"}', status=status, **more) + b"\n" for status in statuses]
    text = b"".join(good) + (bad + "\n" if bad else "").encode()
    found = [one for one in map(Request.parse, text.split(b"\n")[:-1]) if one]
    failed, left = sum(one.is_failed for one in found), sum(one.is_left for one in found)
    closed = sum(one.is_closed_site for one in found)
    assert counted(text) == Counts(len(found), failed, left, int(bool(bad)), closed)
    if good:  # a full disk cut a line, and the next one was written behind it
        assert counted(b'{"time":"t","uri":"/' + b"".join(good)).unread == 1


@pytest.mark.parametrize(
    "cache", ["HIT", "STALE", "UPDATING", "REVALIDATED", "MISS", "EXPIRED", "BYPASS", ""]
)
def test_a_hit_is_one_for_everybody_and_has_no_numbers_of_a_worker(cache: str) -> None:
    """With a stored answer nginx logs the numbers that its worker told when it was made."""
    asked = "" if cache in ("HIT", "UPDATING") else "unix:/run/app.sock"
    text = line(status=200, cache=cache, upstream=asked, worker="1 2 77 1 page")
    request, metrics = Request.parse(text), Metrics(["/run/app.sock"])
    assert request is not None
    metrics.count(text + b"\n")
    is_hit = cache in ("HIT", "STALE", "UPDATING", "REVALIDATED")
    assert request.is_cache_hit == bool(metrics.kept_hits) == is_hit
    assert request.numbers.endpoint == "page"
    assert (request.numbers.pid is None) == (not metrics.workers) == (metrics.app.count == 0) == is_hit


def test_a_client_that_left_is_neither_failed_nor_served(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"")
    served = Served(str(log))
    own = {"time": "2099-11-29T01:43:59+00:00", "upstream": "unix:/run/app.sock", "response_seconds": "0.1"}
    log.write_bytes(
        b"".join(line(**own, status=status) + b"\n" for status in (200, 404, 499, 499, 502)) + b"torn\n"
    )
    told = served._tell()
    assert (told.total, told.failed, told.left, told.unread) == (5, 1, 2, 1)
    assert (told.last_minute, told.last_minute_failed, told.last_minute_left) == (5, 1, 2)
    compared = tally(log, 0, ["/run/app.sock"])
    assert (compared.chosen.requests, compared.chosen.failed, compared.chosen.left) == (5, 1, 2)
    assert compared.unread == "1 line of access.log could not be read"


def test_the_log_of_httpd_tells_a_canary_from_the_live_release(tmp_path: Path) -> None:
    """It had no requests: httpd logs a name of its own in the place of a socket, and no time of the server."""
    log = tmp_path / "access.log"
    own = {
        "time": "2099-11-29T01:43:59+00:00",
        "upstream_status": "",
        "response_seconds": "",
        "seconds": 0.25,
    }
    addresses = ["uwsgi://app0", "uwsgi://app1", "http://app2-60s", "uwsgi://app3", ""]
    log.write_bytes(b"".join(line(**own, status=200, upstream=one) + b"\n" for one in addresses))
    compared = tally(log, 0, ["/run/app.1.sock", "/run/app.2.sock"])
    assert (compared.chosen.requests, compared.others.requests) == (2, 2)
    assert compared.chosen.p50_ms == 250
    metrics = Metrics(path for path, _ in socket_aliases("/run/app.sock"))
    metrics.count(log.read_bytes())
    assert (metrics.upstreams[APP], metrics.by_gateway) == (4, 1)


def test_the_end_of_a_log_has_no_line_that_is_cut(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"one\ntwo\nthree\nhalf")
    assert last_lines(log, 100) == [b"one", b"two", b"three"]
    assert last_lines(log, len(b"two\nthree\nhalf")) == [b"two", b"three"]
    assert last_lines(log, len(b"wo\nthree\nhalf")) == [b"three"]
    assert last_lines(tmp_path / "none", 100) == []
