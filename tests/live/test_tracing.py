"""Trace context and spans on a real site: what the app is given, what is logged, what a collector receives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.collector import Collector, collector, values
from tests.support import Served, portico, private_directory, served, write_files
from tests.support.until import until

APP = """
import time
from flask import Flask, jsonify, request

app = Flask(__name__)

@app.get("/context")
def context():
    names = ("HTTP_TRACEPARENT", "HTTP_TRACESTATE", "HTTP_X_REQUEST_ID")
    return jsonify({name: request.environ[name] for name in names if name in request.environ})

@app.route("/items/<int:number>", methods=["GET", "POST"])
def item(number):
    request.get_data()
    time.sleep(0.05)
    return "an item"

@app.get("/broken")
def broken():
    raise RuntimeError("broken")
"""
ASGI = """
import json

async def app(scope, receive, send):
    if scope["type"] == "http":
        wanted = (b"traceparent", b"tracestate", b"x-request-id")
        found = [(n, v) for n, v in scope["headers"] if n in wanted]
        seen = {"HTTP_" + n.decode().upper().replace("-", "_"): v.decode() for n, v in found}
        assert len(seen) == len(found)
        head = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
"""
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
COMES = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "congo=t61rcWkgMzE"}
UNSAMPLED = COMES | {"traceparent": f"00-{TRACE}-{SPAN}-00"}
PASSED = {"HTTP_TRACEPARENT": UNSAMPLED["traceparent"], "HTTP_TRACESTATE": UNSAMPLED["tracestate"]}
BROKEN = ["00-" + "0" * 32 + f"-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{SPAN}-01",
          f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-more", f"00-{TRACE}-{SPAN}", "x"]  # fmt: skip


@pytest.fixture(scope="module")
def receiver() -> Iterator[Collector]:
    with collector() as made:
        yield made


@pytest.fixture(scope="module")
def shop(receiver: Collector) -> Iterator[Served]:
    """Every request of anybody is traced; nobody in front is believed."""
    toml = f'name = "shop"\n[tracing]\nendpoint = "{receiver.url}"\nheaders_file = "keys"\n'
    files = {"app.py": APP, "portico.toml": toml, "keys": "X-Api-Key: s3cret\n\n", "static/a.css": "a {}"}
    with served(files) as run:
        yield run


@pytest.fixture(scope="module")
def inner(receiver: Collector) -> Iterator[Served]:
    """Behind a proxy, which decides alone what is sampled."""
    toml = f'behind = ["127.0.0.1"]\n[tracing]\nendpoint = "{receiver.url}/v1/traces"\nsample = 0\nservice = "inner"\n'
    with served({"app.py": APP, "portico.toml": toml}) as run:
        yield run


def context(run: Served, **headers: str) -> dict[str, str]:
    found: dict[str, str] = run.get("/context", headers=headers).json()
    return found


def test_a_request_without_a_trace_begins_one_with_its_own_id(shop: Served, receiver: Collector) -> None:
    seen = context(shop)
    own = seen["HTTP_X_REQUEST_ID"]
    assert seen == {"HTTP_X_REQUEST_ID": own, "HTTP_TRACEPARENT": f"00-{own}-{own[16:]}-01"}
    (outer, app) = receiver.of(own)
    assert outer.trace_id == app.trace_id == bytes.fromhex(own)
    assert (outer.parent_span_id, app.parent_span_id) == (b"", outer.span_id)
    assert not outer.links


def test_the_spans_say_what_the_conventions_want(shop: Served, receiver: Collector) -> None:
    answer = shop.client.post(
        f"{shop.url}/items/7?q=x&token=abc", content=b"x" * 200_000, headers={"User-Agent": "tests"}
    )
    (outer, app) = receiver.of(answer.headers["x-request-id"])
    told = values(outer)
    assert (outer.name, outer.kind) == ("POST /items/<int:number>", outer.SPAN_KIND_SERVER)
    assert told["http.request.method"] == "POST"
    assert told["url.path"] == "/items/7"
    assert told["url.query"].startswith("q=x&token=(masked")
    assert told["http.route"] == "/items/<int:number>"
    assert told["http.response.status_code"] == 200
    assert told["network.protocol.version"] == "1.1"
    assert (told["client.address"], told["user_agent.original"]) == ("127.0.0.1", "tests")
    assert "error.type" not in told
    told = values(app)
    assert (app.name, app.kind) == ("item", app.SPAN_KIND_INTERNAL)
    assert told["process.pid"] in {process.pid for process in shop.processes()}
    assert told["portico.app_seconds"] >= 0.05
    assert outer.start_time_unix_nano <= app.start_time_unix_nano
    assert app.end_time_unix_nano <= outer.end_time_unix_nano
    assert app.end_time_unix_nano - app.start_time_unix_nano >= 50_000_000
    (taken,) = app.events
    assert app.start_time_unix_nano <= taken.time_unix_nano <= app.end_time_unix_nano
    assert "s3cret" in {head.get("x-api-key") for head in receiver.heads}
    assert "shop" in {one["service.name"] for one in receiver.resources}


def test_a_failure_sets_the_status(shop: Served, receiver: Collector) -> None:
    answer = shop.get("/broken")
    spans = receiver.of(answer.headers["x-request-id"])
    assert [span.status.code for span in spans] == [spans[0].status.STATUS_CODE_ERROR] * 2
    assert [values(span)["error.type"] for span in spans] == ["500", "500"]
    missing = receiver.of(shop.get("/nowhere").headers["x-request-id"])
    assert [span.status.code for span in missing] == [0, 0]


def test_a_file_has_no_span_of_an_app_and_portico_s_own_paths_none(shop: Served, receiver: Collector) -> None:
    assert shop.get("/-/health").status_code == 200
    answer = shop.get("/static/a.css")
    shop.get("/context")
    assert answer.status_code == 200
    until(lambda: any(values(span).get("url.path") == "/static/a.css" for span in receiver.spans))
    (span,) = (span for span in receiver.spans if values(span).get("url.path") == "/static/a.css")
    assert span.name == "GET"
    assert not any(values(one).get("url.path") == "/-/health" for one in receiver.spans)


def test_a_stranger_s_trace_is_not_gone_on_with_but_named(shop: Served, receiver: Collector) -> None:
    seen = context(shop, **COMES)
    own = seen["HTTP_X_REQUEST_ID"]
    assert seen == {"HTTP_X_REQUEST_ID": own, "HTTP_TRACEPARENT": f"00-{own}-{own[16:]}-01"}
    (outer, _) = receiver.of(own)
    assert outer.trace_id.hex() == own
    (link,) = outer.links
    assert (link.trace_id.hex(), link.span_id.hex()) == (TRACE, SPAN)


def test_a_declared_proxy_s_trace_goes_on(inner: Served, receiver: Collector) -> None:
    seen = context(inner, **COMES)
    own = seen["HTTP_X_REQUEST_ID"]
    assert seen["HTTP_TRACEPARENT"] == f"00-{TRACE}-{own[16:]}-01"
    assert seen["HTTP_TRACESTATE"] == COMES["tracestate"]
    (outer, app) = receiver.of(own)
    assert outer.trace_id.hex() == app.trace_id.hex() == TRACE
    assert outer.parent_span_id.hex() == SPAN
    assert not outer.links


def test_what_is_not_sampled_is_not_sent(inner: Served, receiver: Collector) -> None:
    quiet = [context(inner, **UNSAMPLED), context(inner)]
    own = quiet[1]["HTTP_X_REQUEST_ID"]
    assert quiet[0]["HTTP_TRACEPARENT"].startswith(f"00-{TRACE}-")
    assert quiet[1]["HTTP_TRACEPARENT"] == f"00-{own}-{own[16:]}-00"
    assert quiet[0]["HTTP_TRACEPARENT"].endswith("-00")
    receiver.of(context(inner, **COMES)["HTTP_X_REQUEST_ID"])  # lines are read in their order
    sent = {span.span_id.hex() for span in receiver.spans}
    assert not sent & {seen["HTTP_X_REQUEST_ID"][:16] for seen in quiet}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_traceparent_counts_as_none(inner: Served, broken: str) -> None:
    seen = context(inner, traceparent=broken, tracestate="a=b")
    own = seen["HTTP_X_REQUEST_ID"]
    assert seen == {"HTTP_X_REQUEST_ID": own, "HTTP_TRACEPARENT": f"00-{own}-{own[16:]}-00"}


@pytest.mark.parametrize("behind", [True, False])
def test_an_asgi_app_is_told_the_same(behind: bool) -> None:
    toml = f'behind = {["127.0.0.1"] * behind}\ntracing = {{ endpoint = "none" }}\n'
    with served({"app.py": ASGI, "portico.toml": toml}) as run:
        seen = context(run, **UNSAMPLED)
        own = seen["HTTP_X_REQUEST_ID"]
        if run.is_apache:  # asks by HTTP: a declared proxy's context is passed on, and no trace begins here
            assert seen == {"HTTP_X_REQUEST_ID": own} | (PASSED if behind else {})
            return
        begun = {"HTTP_X_REQUEST_ID": own, "HTTP_TRACEPARENT": f"00-{own}-{own[16:]}-01"}
        goes_on = {
            "HTTP_TRACEPARENT": f"00-{TRACE}-{own[16:]}-00",
            "HTTP_TRACESTATE": UNSAMPLED["tracestate"],
        }
        assert seen == (begun | goes_on if behind else begun)
        for broken in BROKEN[:2]:
            seen = context(run, traceparent=broken, tracestate="a=b")
            own = seen["HTTP_X_REQUEST_ID"]
            assert seen == {"HTTP_X_REQUEST_ID": own, "HTTP_TRACEPARENT": f"00-{own}-{own[16:]}-01"}


@pytest.mark.parametrize("nginx", ["embedded", "system"])
def test_who_is_not_portico_s_worker_is_told_what_a_declared_proxy_says(nginx: str) -> None:
    toml = 'behind = ["127.0.0.1"]\ntracing = { endpoint = "none" }\nworkers = { server = "uwsgi" }\n'
    with served({"app.py": APP, "portico.toml": toml}, "--nginx", nginx) as run:
        assert set(context(run)) == {"HTTP_X_REQUEST_ID"}
        seen = context(run, **COMES)
        assert (seen["HTTP_TRACEPARENT"], seen["HTTP_TRACESTATE"]) == (
            COMES["traceparent"],
            COMES["tracestate"],
        )


def test_who_is_not_portico_s_worker_is_not_told_what_a_stranger_says() -> None:
    toml = 'tracing = { endpoint = "none" }\nworkers = { server = "uwsgi" }\n'
    with served({"app.py": APP, "portico.toml": toml}) as run:
        assert set(context(run, **COMES)) == {"HTTP_X_REQUEST_ID"}


def test_the_log_knows_the_trace(inner: Served) -> None:
    line = inner.line(inner.get("/context", headers=COMES))
    assert (line["traceparent"], line["trusted"]) == (COMES["traceparent"], "1")
    shown = portico("logs", "--no-follow", "--json", "--id", TRACE, cwd=inner.directory)
    assert {json.loads(line)["trace"] for line in shown.stdout.splitlines()} == {TRACE}


_ALL_SENT = r'portico_traced_requests_total{result="sent"} 2[1-9]\b'


def test_a_collector_that_is_away_is_said_once_and_loses_nothing() -> None:
    with (
        collector(is_away=True) as receiver,
        served({"app.py": APP, "portico.toml": f'tracing = "{receiver.url}"\n'}) as run,
    ):
        first = context(run)["HTTP_X_REQUEST_ID"]
        until(lambda: "no spans are sent: Connection refused" in run.stderr())
        more = [context(run)["HTTP_X_REQUEST_ID"] for _ in range(20)]
        receiver.begin()
        for request_id in (first, *more):
            assert len(receiver.of(request_id)) == 2
        until(lambda: "spans are sent again; none was lost" in run.stderr())
        assert run.stderr().count("no spans are sent") == 1
        until(lambda: re.search(_ALL_SENT, portico("metrics", cwd=run.directory).stdout) is not None)
        shown = portico("metrics", cwd=run.directory).stdout
        assert 'portico_traced_requests_total{result="lost"} 0' in shown


def test_the_last_requests_are_sent_at_the_end() -> None:
    with (
        collector() as receiver,
        served({"app.py": APP, "portico.toml": f'[tracing]\nendpoint = "{receiver.url}"\n'}) as run,
    ):
        own = context(run)["HTTP_X_REQUEST_ID"]
        run.stop()
        assert len(receiver.of(own)) == 2


def test_what_is_wrong_is_said_before_anything_starts() -> None:
    with private_directory() as home:
        write_files(home, {"app.py": APP, "keys": "no header\n"})
        for words, expected in (
            ('endpoint = "localhost:4318"', "is not the URL of a collector"),
            ('endpoint = "http://c"\nsample = 1.5', "1.5 is not a share"),
            ('endpoint = "http://c"\nheaders_file = "nowhere"', "nowhere"),
            ('endpoint = "http://c"\nheaders_file = "keys"', "line 1, is not a header"),
        ):
            write_files(home, {"portico.toml": f"[tracing]\n{words}\n"})
            done = portico("plan", cwd=home)
            assert done.returncode == 2
            assert expected in done.stderr
