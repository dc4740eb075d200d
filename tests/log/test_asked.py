"""Lines of the access log about the challenge."""

from __future__ import annotations

import pytest

from portico.log.asked import Asked
from portico.watch.limits_report import Refused, passes

LINE = (
    '{{"time":"2026-11-29T12:00:00+00:00","id":"a","client":"{client}","method":"{method}","uri":"{uri}",'
    '"status":{status},"refused_by":"{by}","agent":""}}'
)


def line(
    uri: str = "/search", by: str = "", status: int = 429, method: str = "GET", client: str = "10.0.0.1"
) -> str:
    return LINE.format(uri=uri, by=by, status=status, method=method, client=client)


@pytest.mark.parametrize(
    "text",
    [
        line(),
        line(by="rate"),
        line("/-/challenge?seed=1", status=403, method="POST"),
        line("/-/challenge?seed=1", status=204),
        line("/other?at=/-/challenge?", status=204, method="POST"),
        line(r"/x?a=\"refused_by\":\"challenge\"", status=200),
        '{"refused_by":"challenge"',
        "",
    ],
)
def test_lines_about_something_else(text: str) -> None:
    assert Asked.parse(text) is None


def test_who_was_asked_would_have_been_and_got_a_pass() -> None:
    lines = [
        *[line(by="challenge", client="2001:db8:0:1::1")] * 3,
        line(by="challenge", client="2001:db8:0:1::2"),
        line(by="challenge, dry run", status=200),
        line("/shop/-/challenge?seed=1", status=204, method="POST"),
    ]
    found = passes(one for one in map(Asked.parse, lines) if one)
    assert found is not None
    assert (found.asked, found.would_ask, found.passes) == (4, 1, 1)
    assert found.last is not None
    assert found.clients == (Refused("2001:db8:0:1::/64", 4), Refused("10.0.0.1", 1))


def test_nothing_is_told_where_nobody_was_asked() -> None:
    assert passes([]) is None
