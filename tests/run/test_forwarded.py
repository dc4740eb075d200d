"""The hint that a proxy in front is not named: whose headers count, and how many of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from portico.log.request import Request
from portico.protocol.status import ProxyInFront
from portico.run.watchers.forwarded import Forwarded, comes_directly, judged

if TYPE_CHECKING:
    from portico.plan.model import Plan
    from portico.protocol.notices import Notice


def line(mark: str | None, client: str = "10.0.0.7", agent: str = "curl/8") -> Request:
    return Request(client=client, status=200, forwarded=mark, agent=agent)


@pytest.mark.parametrize("mark", ["cloudflare", "aws", "proxy"])
def test_most_requests_carry_the_headers_of_a_proxy(mark: str) -> None:
    found = judged([line(mark)] * 5 + [line("")] * 5)
    assert found is not None
    assert (found.by, found.addresses) == (mark, ("10.0.0.7",))


def test_a_few_requests_or_one_client_among_many_are_no_proxy() -> None:
    assert judged([line("proxy")] * 4) is None
    assert judged([line("proxy")] * 20 + [line("")] * 21) is None
    assert judged([]) is None


def test_lines_of_files_say_nothing_of_a_proxy() -> None:
    assert judged([line("proxy")] * 5 + [line(None)] * 50) is not None


def test_health_checks_of_the_balancer_do_not_count() -> None:
    checks = [line("", agent="ELB-HealthChecker/2.0")] * 100
    assert judged([*checks, *[line("aws")] * 5]) is not None


def test_words_of_a_client_are_no_mark() -> None:
    said = line("", agent='"forwarded":"aws","agent":"')
    assert judged([said] * 10) is None


def test_a_stranger_is_not_named_as_the_proxy() -> None:
    found = judged([line("proxy", "93.184.216.34")] * 5)
    assert found is not None
    assert found.addresses == ()


def test_most_answered_requests_say_whether_clients_come_directly() -> None:
    assert comes_directly([line("")] * 5) is True
    assert comes_directly([line("proxy")] * 5) is False
    assert comes_directly([line("")] * 5 + [line("proxy")] * 5) is False
    assert comes_directly([line("")] * 6 + [line("proxy")] * 5) is True
    assert comes_directly([line("")] * 4 + [line("proxy")] * 4) is None
    refused = [Request(client="203.0.113.7", status=404, refused_by="scanner", forwarded="proxy")] * 100
    allowed = [Request(client="203.0.113.7", status=200, refused_by="ban, dry run", forwarded="proxy")] * 100
    assert comes_directly([line("")] * 5 + refused + allowed) is True, "a scanner's own requests do not count"
    assert comes_directly([line("", agent="kube-probe/1")] * 50) is None


def test_a_site_that_is_reached_directly_stays_so_while_nothing_is_known(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    plan = cast("Plan", SimpleNamespace(access_log=str(log), knows_proxies=False))
    forwarded = Forwarded(lambda: plan, lambda _: None)
    stranger, cloudflare = "203.0.113.7", "104.16.1.1"

    def look(times: int, mark: str, status: int = 200) -> list[bool]:
        text = msgspec.json.encode(Request(client=stranger, status=status, forwarded=mark)).decode()
        log.write_text(f"{text}\n" * times)
        asyncio.run(forwarded.look())
        return [forwarded.may_hide_many(stranger), forwarded.may_hide_many(cloudflare)]

    assert forwarded.may_hide_many(stranger)
    assert look(9, "") == [False, True]
    assert look(5, "proxy", 404) == [False, True]
    assert look(6, "proxy") == [True, True]


def test_two_looks_at_once_say_it_once_and_agree(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"torn\n" + (msgspec.json.encode(line("aws")) + b"\n") * 10)
    plan, said = SimpleNamespace(knows_proxies=False, access_log=str(log)), list["Notice"]()
    looker = Forwarded(lambda: cast("Plan", plan), said.append)

    async def both() -> list[object]:
        return [*await asyncio.gather(looker.look(), looker.look())]

    first, second = asyncio.run(both())
    assert first == second == ProxyInFront("aws", ("10.0.0.7",))
    assert len(said) == 1
