"""What a trace shows of an answer's headers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from portico.watch.trace.records import Response
from portico.watch.trace.tracker import response


def test_a_header_that_is_spelled_in_two_ways_is_one() -> None:
    said = [("vary", "Accept"), ("Vary", "Cookie"), ("X-A", "1")]
    evidence: Any = SimpleNamespace(
        sent=SimpleNamespace(received=[("Vary", "Accept, Cookie")], status=200, reason="OK"),
        record=SimpleNamespace(response=Response(status="200", headers=said)),
        mask=SimpleNamespace(headers=lambda headers: headers),
    )
    rows = [row for row in response(evidence) if row.name.lower() == "vary"]
    assert [(row.app, row.client) for row in rows] == [("Accept, Cookie", "Accept, Cookie")]
