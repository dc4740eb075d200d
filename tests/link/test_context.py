"""The W3C trace context: what counts as one, and what becomes of it."""

from __future__ import annotations

import random

import pytest

from portico.link.context import Contexts, Parent, is_sampled, parse, spans
from portico.plan.tracing import ALL, bound

TRACE, SPAN, OWN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", Parent(TRACE, SPAN, is_sampled=True)),
        (f"00-{TRACE}-{SPAN}-00", Parent(TRACE, SPAN, is_sampled=False)),
        (f"00-{TRACE}-{SPAN}-03", Parent(TRACE, SPAN, is_sampled=True)),
        (f"cc-{TRACE}-{SPAN}-01-what-will-be", Parent(TRACE, SPAN, is_sampled=True)),
        (f"cc-{TRACE}-{SPAN}-01", Parent(TRACE, SPAN, is_sampled=True)),
        (f"cc-{TRACE}-{SPAN}-01.what", None),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-01\n", None),
        (f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01", None),
        ("", None),
    ],
)
def test_what_a_traceparent_is(text: str, expected: Parent | None) -> None:
    assert parse(text) == expected


def test_the_app_is_told_our_span_and_never_a_stranger_s() -> None:
    sent = {"HTTP_TRACEPARENT": f"00-{TRACE}-{SPAN}-00", "HTTP_TRACESTATE": "a=b", "HTTP_X_REQUEST_ID": OWN}
    stranger = dict(sent)
    Contexts(ALL).set_in(stranger)
    assert stranger == {"HTTP_TRACEPARENT": f"00-{OWN}-{spans(OWN)[1]}-01", "HTTP_X_REQUEST_ID": OWN}
    known = sent | {"PORTICO_BEHIND": "1"}
    Contexts(ALL).set_in(known)
    assert known["HTTP_TRACEPARENT"] == f"00-{TRACE}-{spans(OWN)[1]}-00"
    assert known["HTTP_TRACESTATE"] == "a=b"


@pytest.mark.parametrize("is_known", [True, False])
def test_an_asgi_app_is_told_the_same(is_known: bool) -> None:
    host = (b"host", b"a.example")
    sent = [(b"traceparent", f"00-{TRACE}-{SPAN}-00".encode()), (b"tracestate", b"a=b"), host]
    Contexts(ALL).set_among(sent, OWN, is_known=is_known)
    own = (b"traceparent", f"00-{OWN}-{spans(OWN)[1]}-01".encode())
    continued = (b"traceparent", f"00-{TRACE}-{spans(OWN)[1]}-00".encode())
    assert sent == ([(b"tracestate", b"a=b"), host, continued] if is_known else [host, own])


@pytest.mark.parametrize("count", [0, 2])
def test_two_traces_are_none(count: int) -> None:
    sent = [(b"traceparent", f"00-{TRACE}-{SPAN}-00".encode()), (b"tracestate", b"a=b")] * count
    Contexts(ALL).set_among(sent, OWN, is_known=True)
    assert sent == [(b"traceparent", f"00-{OWN}-{spans(OWN)[1]}-01".encode())]


def test_a_question_that_did_not_come_through_nginx_has_no_trace() -> None:
    environ = {"HTTP_TRACEPARENT": f"00-{TRACE}-{SPAN}-01", "HTTP_TRACESTATE": "a=b"}
    Contexts(ALL).set_in(environ)
    assert environ == {}


@pytest.mark.parametrize("share", [0.0, 1e-9, 0.001, 0.1, 0.25, 1 / 3, 0.5, 0.999, 0.9999999, 1.0])
def test_the_right_share_of_the_traces_is_sampled(share: float) -> None:
    below, draw = bound(share), random.Random(7)
    ids = [f"{draw.getrandbits(128):032x}" for _ in range(20_000)]
    sampled = {one for one in ids if is_sampled(one, below)}
    assert abs(len(sampled) / len(ids) - share) < 0.02
    assert (share > 0) == is_sampled("0" * 32, below)
