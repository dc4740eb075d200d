"""What nginx says of its limits, read back."""

from __future__ import annotations

from datetime import datetime

import pytest

from portico.log.errors.kinds import refusal
from portico.log.errors.limit import Refusal
from portico.protocol.status import LimitInForce
from portico.watch.limits_report import report

HEAD = "2026/11/29 10:50:36 [error] 25854#25854: *326 "
TAIL = ', server: localhost, request: "GET / HTTP/1.1", host: "localhost:8791"'
AT = datetime(2026, 11, 29, 10, 50, 36).astimezone().timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'limiting requests, excess: 30.584 by zone "portico_rate", client: 1.2.3.6',
            ("portico_rate", "1.2.3.6", False),
        ),
        (
            'limiting requests, dry run, excess: 0.1 by zone "a", client: 2001:db8::1',
            ("a", "2001:db8::1", True),
        ),
        ('limiting connections by zone "portico_held", client: 1.2.3.6', ("portico_held", "1.2.3.6", False)),
        ('limiting connections, dry run, by zone "b", client: 1.2.3.6', ("b", "1.2.3.6", True)),
    ],
)
def test_each_kind_of_limit_is_read(text: str, expected: tuple[str, str, bool]) -> None:
    assert refusal(HEAD + text + TAIL) == Refusal(AT, *expected)


@pytest.mark.parametrize(
    "line",
    [
        "",
        HEAD
        + 'open() "/x" failed, client: 1.2.3.4, server: a, request: "GET /limiting requests by zone" '
        + 'limiting requests, excess: 1.0 by zone "portico_rate", client: 6.6.6.6, server: ',
        'limiting requests, excess: 1.0 by zone "portico_rate", client: 6.6.6.6, server: ',
    ],
)
def test_a_client_cannot_write_one(line: str) -> None:
    assert refusal(line) is None


def test_clients_of_one_network_are_one_and_limits_of_before_are_kept() -> None:
    found = [Refusal(AT + n, "rate", f"2001:db8::{n}", False) for n in range(3)]
    found += [Refusal(AT, "rate", "1.2.3.4", True), Refusal(AT, "gone", "1.2.3.4", False)]
    first, second = report(found, [LimitInForce("rate", "5/minute", "the site", "client", "", True)]).limits
    assert (first.refused, first.would_refuse, first.limit) == (3, 1, "5/minute")
    assert [(one.client, one.count) for one in first.clients] == [("2001:db8::/64", 3), ("1.2.3.4", 1)]
    assert (second.zone, second.limit, second.refused) == ("gone", "", 1)
