"""Who says that it is a crawler, and what DNS says of its address."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from portico.plan.model import Plan
from portico.plan.subjects import Guards, PlannedClaims
from portico.run.watchers import crawlers
from portico.run.watchers.crawlers import CrawlerNames, answers, by_dns
from tests.support.name_server import FAILS, name_server

RECORDS = {
    ("9.113.0.203.in-addr.arpa", "PTR"): "crawl-9.googlebot.com.",
    ("crawl-9.googlebot.com", "A"): "203.0.113.9",
    ("10.113.0.203.in-addr.arpa", "PTR"): "crawl-9.googlebot.com.",
    ("11.113.0.203.in-addr.arpa", "PTR"): "evilgooglebot.com.",
    ("evilgooglebot.com", "A"): "203.0.113.11",
    ("12.113.0.203.in-addr.arpa", "PTR"): "nowhere.googlebot.com.",
    ("13.113.0.203.in-addr.arpa", "PTR"): FAILS,
    ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR"): "six.google.com.",
    ("six.google.com", "AAAA"): "2001:db8::1",
}
DOMAINS = ("googlebot.com", "google.com")
GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def test_an_address_is_a_crawler_s_when_its_name_leads_back_to_it() -> None:
    with name_server(RECORDS) as (server, asked):
        addresses = [*(f"203.0.113.{n}" for n in range(9, 15)), "2001:db8::1"]
        found = {address: by_dns(address, DOMAINS, server) for address in addresses}
        assert found == {
            "203.0.113.9": True, "203.0.113.10": False, "203.0.113.11": False, "203.0.113.12": False,
            "203.0.113.13": None, "203.0.113.14": False, "2001:db8::1": True,
        }  # fmt: skip
        assert "evilgooglebot.com" not in asked, "a stranger's name server is not asked"
        assert answers(DOMAINS, server), "it answers, if only that there is none"
    assert by_dns("203.0.113.9", DOMAINS, server) is None, "nobody answers there now"
    assert not answers(DOMAINS, server)


class Site:
    """A site that runs nowhere: its log is written here, and its names are known."""

    def __init__(self, directory: Path, answers: dict[str, bool | None]) -> None:
        self.directory, self.log = directory, directory / "access.log"
        self.log.touch()
        self.asked = list[str]()
        planned = PlannedClaims(
            f"{directory}/forged", {"Googlebot": DOMAINS}, "system", ("10.0.0.0/8",), by_network=True
        )
        self.plan = cast("Plan", SimpleNamespace(access_log=str(self.log), guards=Guards(claims=planned)))

        def ask(address: str, domains: Sequence[str], server: str) -> bool | None:
            assert (tuple(domains), server) == (DOMAINS, "system")
            self.asked.append(address)
            return answers.get(address)

        self.works, self.hides_many = True, True
        self.names = CrawlerNames(
            lambda: self.plan, ask, lambda *_: self.works, hides_many=lambda _: self.hides_many
        )
        self.look()

    def look(self) -> None:
        asyncio.run(self.names.look())

    def comes(self, client: str, agent: str = GOOGLE, **fields: Any) -> None:
        line = {"client": client, "status": 200, "agent": agent} | fields
        with self.log.open("a") as log:
            log.write(json.dumps(line, separators=(",", ":")) + "\n")
        self.look()

    @property
    def files(self) -> set[str]:
        return {path.name for path in (self.directory / "forged").iterdir()}


def test_who_is_none_has_a_file_and_is_asked_once(tmp_path: Path) -> None:
    answers = {"203.0.113.9": True, "203.0.113.10": False, "2001:db8:0:7::1": False}
    site = Site(tmp_path, {**answers, "203.0.113.13": None})
    for client in (*answers, "203.0.113.13", *answers):
        site.comes(client)
    assert site.files == {"203.0.113.10", "2001:db8:0:7:"}
    assert sorted(site.asked) == sorted([*answers, "203.0.113.13"])


@pytest.mark.parametrize(
    ("client", "fields"),
    [
        ("203.0.113.10", {"agent": "Mozilla/5.0", "referer": GOOGLE, "uri": '/"agent":"Googlebot'}),
        ("203.0.113.10", {"forwarded": "cloudflare"}),
        ("10.1.2.3", {}),
        ("unix:", {}),
    ],
)
def test_who_is_not_asked_about(tmp_path: Path, client: str, fields: dict[str, Any]) -> None:
    site = Site(tmp_path, {client: False})
    site.comes(client, **fields)
    assert (site.asked, site.files) == ([], set())


def test_an_answer_is_asked_for_again_and_all_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: dict[str, bool | None] = {"203.0.113.10": False}
    site = Site(tmp_path, answers)
    site.comes("203.0.113.10")
    later = time.time() + 90_000
    monkeypatch.setattr(time, "time", lambda: later)
    answers["203.0.113.10"] = True
    site.comes("203.0.113.10", agent="googlebot-image/1.0")
    assert (len(site.asked), site.files) == (2, set())
    monkeypatch.setattr(crawlers, "_MOST_KNOWN", 5)
    monkeypatch.setattr(crawlers, "_MOST_WAITING", 20)
    for number in range(100):
        site.comes(f"198.51.100.{number}")
    assert len(site.names._known) <= 5
    assert len(site.names._waiting) <= 20


def test_a_header_of_a_proxy_hides_nobody_where_clients_come_directly(tmp_path: Path) -> None:
    site = Site(tmp_path, {"203.0.113.10": False})
    site.hides_many = False
    site.comes("203.0.113.10", forwarded="proxy")
    assert site.files == {"203.0.113.10"}


def test_a_true_crawler_is_not_refused_for_its_neighbour(tmp_path: Path) -> None:
    """nginx looks for a network of 64 bits: both have the same file."""
    site = Site(tmp_path, {"2001:db8:0:7::2": False, "2001:db8:0:7::1": True})
    site.comes("2001:db8:0:7::2")
    assert site.files == {"2001:db8:0:7:"}
    site.comes("2001:db8:0:7::1")
    assert site.files == set()


def test_who_breaks_the_zone_of_its_address_is_refused_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that does not work refuses nobody, and ends no refusal."""
    answers: dict[str, bool | None] = {"203.0.113.10": None, "2001:db8:0:7::2": False}
    site, now = Site(tmp_path, answers), time.time()
    address = {"203.0.113.10"}

    def later(seconds: float) -> set[str]:
        nonlocal now
        now += seconds
        monkeypatch.setattr(time, "time", lambda: now)
        site.comes("203.0.113.10")
        return site.files

    site.works = False
    assert later(0) == later(61) == later(61) == set()
    site.works = True
    assert later(61) == address
    assert later(599) == address
    asked = len(site.asked)
    assert later(2) == address
    assert len(site.asked) == asked + 1
    site.works = False
    assert later(601) == address
    answers["203.0.113.10"] = True
    assert later(61) == set()
    answers["2001:db8:0:7::1"] = None
    site.comes("2001:db8:0:7::1")
    site.comes("2001:db8:0:7::2")
    assert site.files == {"2001:db8:0:7:"}, "a claim that nothing confirms spares no neighbour"


def test_without_the_option_nobody_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, {"203.0.113.10": False})
    site.comes("203.0.113.10")
    site.plan.guards = Guards()  # type: ignore[misc]
    site.look()
    assert not (tmp_path / "forged").exists()
