"""The hint that a proxy in front is not named: whose headers count, and how many of them."""

from __future__ import annotations

import json

import pytest

from portico.run.forwarded import judged


def line(mark: str, client: str = "10.0.0.7", agent: str = "curl/8") -> bytes:
    return json.dumps(
        {"client": client, "status": 200, "forwarded": mark, "agent": agent}, separators=(",", ":")
    ).encode()


@pytest.mark.parametrize("mark", ["cloudflare", "aws", "proxy"])
def test_most_requests_carry_the_headers_of_a_proxy(mark: str) -> None:
    found = judged([line(mark)] * 5 + [line("")] * 5)
    assert found is not None
    assert (found.by, found.addresses) == (mark, ("10.0.0.7",))


def test_a_few_requests_or_one_client_among_many_are_no_proxy() -> None:
    assert judged([line("proxy")] * 4) is None
    assert judged([line("proxy")] * 20 + [line("")] * 21) is None
    assert judged([]) is None


def test_health_checks_of_the_balancer_do_not_count() -> None:
    checks = [line("", agent="ELB-HealthChecker/2.0")] * 100
    assert judged([*checks, *[line("aws")] * 5]) is not None


def test_words_of_a_client_are_no_mark() -> None:
    said = line("", agent='"forwarded":"aws","agent":"')
    assert judged([said] * 10) is None
