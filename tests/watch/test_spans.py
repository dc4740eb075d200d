"""Log lines become spans, and the thread that sends them is never waited for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from portico.log.request import Request
from portico.plan.subjects import Tracing
from portico.plan.tracing import ALL
from portico.watch.spans import sender
from portico.watch.spans.encode import Encoder
from portico.watch.spans.sender import Sender
from tests.collector import Collector, collector, values
from tests.support.until import until

ENDED = 1_800_000_000.5
FIRST: dict[str, Any] = {
    "time": "2027-01-15T08:00:00+00:00", "id": "4bf92f3577b34da6a3ce929d0e0e4736", "client": "10.0.0.1",
    "method": "GET", "scheme": "https", "host": "shop.example", "uri": "/a?b=c", "status": 200, "bytes_in": 300,
    "bytes_out": 900, "protocol": "HTTP/2.0", "seconds": 0.3, "upstream": "unix:/run/app.sock",
    "upstream_status": "200", "response_seconds": "0.100", "worker": "2000 50000 123 4 index", "ended": ENDED,
}  # fmt: skip


def line(number: int = 0, **changed: Any) -> bytes:
    own = {"id": f"{number:032x}"} if number else {}
    return json.dumps(FIRST | own | changed, separators=(",", ":")).encode() + b"\n"


def request(**changed: Any) -> Request:
    found = Request.parse(line(**changed))
    assert found
    return found


def spans(**changed: Any) -> list[Span]:
    """nginx's span, and the one within it if there is one."""
    message = Encoder(Tracing("http://c", "shop", ALL)).message([request(**changed)])
    (of_resource,) = ExportTraceServiceRequest.FromString(message).resource_spans
    (scoped,) = of_resource.scope_spans
    return [*scoped.spans][::-1]


def milliseconds(span: Span) -> tuple[float, float]:
    """Begin and end, before the end of the request."""
    end = round(ENDED * 1e9)
    return (span.start_time_unix_nano - end) / 1e6, (span.end_time_unix_nano - end) / 1e6


def test_a_client_that_reads_slowly_is_nginx_s_time_not_the_app_s() -> None:
    outer, app = spans()
    assert milliseconds(outer) == (-300, 0)
    assert milliseconds(app) == (-300, -200)
    assert (app.events[0].time_unix_nano - app.start_time_unix_nano) / 1e6 == 2
    assert values(outer)["network.protocol.version"] == "2"


def test_a_large_body_is_waited_for_before_the_app_is_asked() -> None:
    assert milliseconds(spans(bytes_in=1 << 20)[1]) == (-100, 0)


def test_an_answer_quicker_than_nginx_s_clock_still_holds_the_app_s() -> None:
    outer, app = spans(seconds=0.0, response_seconds="0.000", worker="10 80 123 4 index")
    assert milliseconds(app)[0] == 0
    assert milliseconds(app)[1] == pytest.approx(0.09)
    assert outer.end_time_unix_nano == app.end_time_unix_nano


def test_an_answer_from_the_cache_has_no_span_of_an_app() -> None:
    (outer,) = spans(cache="HIT", upstream="")
    assert values(outer)["portico.cache"] == "HIT"
    assert outer.name == "GET index"


def test_a_stored_answer_that_the_app_confirmed_has_a_span_of_it_without_old_numbers() -> None:
    """nginx takes the worker's numbers from the stored answer: they are another request's."""
    _, app = spans(cache="REVALIDATED")
    assert app.name == values(app)["portico.endpoint"] == "index"
    assert app.kind == app.SPAN_KIND_INTERNAL
    assert "process.pid" not in values(app)
    assert milliseconds(app) == (-300, -200)


def test_a_server_elsewhere_is_a_client_s_span_of_its_last_try() -> None:
    outer, inner = spans(
        upstream="10.0.0.2:80, 10.0.0.3:80", upstream_status="502, 503", response_seconds="0.001, 0.004",
        worker="", status=503,
    )  # fmt: skip
    told = values(inner)
    assert inner.kind == inner.SPAN_KIND_CLIENT
    assert (told["server.address"], told["portico.tries"]) == ("10.0.0.3:80", 2)
    assert told["http.response.status_code"] == 503
    assert inner.status.code == outer.status.code == inner.status.STATUS_CODE_ERROR


def test_nobody_who_answers_is_an_error_within_and_without() -> None:
    outer, inner = spans(upstream_status="-", response_seconds="-", worker="", status=502)
    assert values(outer)["error.type"] == values(inner)["error.type"] == "502"


@pytest.mark.parametrize("method", ["G\u00c9T", "BREW", "\ufffd\x1b"])
def test_whatever_a_client_sends_becomes_a_span(method: str) -> None:
    outer, _ = spans(method=method, uri="x" * 9000 + "\ufffd", host="", protocol="", agent="\x00")
    assert values(outer)["http.request.method"] == "_OTHER"
    assert outer.name == "HTTP index"


def test_lines_that_have_no_spans() -> None:
    encoder = Encoder(Tracing("http://c", "shop", ALL))
    assert encoder.is_wanted(request())
    for other in (
        request(uri="/-/health"), request(ended=0), request(id="short"), request(id="x" * 32),
        request(traceparent=f"00-{'1' * 32}-{'2' * 16}-00", trusted="1"),
    ):  # fmt: skip
        assert not encoder.is_wanted(other)
    nobody = Encoder(Tracing("http://c", "shop", "0000"))
    assert not nobody.is_wanted(request())
    assert nobody.is_wanted(request(traceparent=f"00-{'1' * 32}-{'2' * 16}-01", trusted="1"))
    assert not nobody.is_wanted(request(traceparent=f"00-{'1' * 32}-{'2' * 16}-01", trusted="0"))


@pytest.fixture
def receiver() -> Iterator[Collector]:
    with collector() as made:
        yield made


def sending(url: str) -> Sender:
    return Sender(Tracing(f"{url}/v1/traces", "shop", ALL))


def test_a_collector_that_is_busy_is_asked_again(receiver: Collector) -> None:
    receiver.status = 503
    made = sending(receiver.url)
    try:
        made.take(line(1))
        until(lambda: receiver.asked > 1)
        receiver.status = 200
        until(lambda: made.counts["sent"] == 1)
    finally:
        made.close()
    first, second = made.problems()
    assert "no spans are sent: the collector answers 503" in first.what
    assert "none was lost" in second.what


def test_what_is_refused_is_not_sent_again(receiver: Collector) -> None:
    receiver.status = 401
    made = sending(receiver.url)
    try:
        made.take(line(1))
        until(lambda: made.counts["lost"] == 1)
        assert receiver.asked == 1
        receiver.status = 200
        made.take(line(2))
        until(lambda: made.counts["sent"] == 1)
    finally:
        made.close()
    assert [problem.what for problem in made.problems()][
        1
    ] == "spans are sent again; lost meanwhile: those of 1 request"


def test_what_waits_is_bounded_and_nobody_waits() -> None:
    with collector(is_away=True) as away:
        made = sending(away.url)
        piece = b"".join(line(number) for number in range(1, 1001))
        for _ in range(100):
            made.take(piece)
        assert made.counts["lost"] > 50_000
        assert sum(map(len, made._waiting)) <= sender.ROOM_BYTES
        made.close()


def test_lines_that_cannot_be_read_are_said(receiver: Collector) -> None:
    made = sending(receiver.url)
    try:
        made.take(b"{torn\n" + line(1) + b"[]\n")
        until(lambda: made.counts["sent"] == 1)
    finally:
        made.close()
    assert [problem.what for problem in made.problems()] == ["2 lines of access.log could not be read"]


def test_of_too_many_some_are_left_out_and_failures_are_not(receiver: Collector) -> None:
    made = sending(receiver.url)
    most = sender.REQUESTS_A_SECOND * sender._BURST_SECONDS
    lines = [line(number, status=500 if number % 1000 == 0 else 200) for number in range(1, 3 * most)]
    try:
        made.take(b"".join(lines))
        until(lambda: made.counts["sent"] + made.counts["thinned"] == len(lines))
    finally:
        made.close(30)
    assert made.counts["sent"] < len(lines)
    sent = {int.from_bytes(span.trace_id, "big") for span in receiver.spans}
    assert set(range(1000, len(lines), 1000)) <= sent
    assert sum("requests a second" in problem.what for problem in made.problems()) == 1


def test_a_fault_in_the_making_does_not_end_the_sending(
    receiver: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sending(receiver.url)
    whole = made._encoder.message
    monkeypatch.setattr(made._encoder, "message", lambda _: 1 / 0)
    try:
        made.take(line(1))
        until(lambda: made.counts["lost"] == 1)
        monkeypatch.setattr(made._encoder, "message", whole)
        made.take(line(2))
        until(lambda: made.counts["sent"] == 1)
    finally:
        made.close()


def test_the_end_does_not_wait_for_a_collector_that_is_silent() -> None:
    made = sending("http://192.0.2.1:4318")  # TEST-NET: nobody answers there
    made.take(line(1))
    began = time.monotonic()
    made.close(0.5)
    assert time.monotonic() - began < 30
