"""Who is banned for what the log tells, the files that nginx looks for, and what outlives a restart."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from portico.errors import PorticoError
from portico.plan.model import Plan
from portico.plan.subjects import Guards, PlannedBans
from portico.plan.web.refusals import GUESS, STATUSES
from portico.protocol.commands import LiftBans
from portico.run.watchers import ban_list
from portico.run.watchers.ban_list import BanList, Kept
from portico.run.watchers.bans import ALL, GUESSERS, Bans

V4, V6 = "203.0.113.7", "2001:db8:0:7::1"


class Site:
    """A site that runs nowhere: its log is written here."""

    def __init__(self, directory: Path, *, after: int = 3, never: tuple[str, ...] = ("10.0.0.0/8",)) -> None:
        self.directory = directory
        self.log = directory / "access.log"
        self.log.touch()
        planned = PlannedBans(f"{directory}/banned", after, 60.0, False, never, True, "guard.ban")
        made = SimpleNamespace(
            runtime=str(directory),
            state=str(directory),
            access_log=str(self.log),
            guards=Guards(bans=planned),
        )
        self.plan = cast("Plan", made)
        self.bans = Bans(lambda: self.plan)
        self.look()

    def look(self) -> None:
        self.bans._look()

    def asked(self, client: str, times: int = 1, **fields: Any) -> None:
        line = {"client": client, "status": 404, "refused_by": "scanner", "fetch_site": ""} | fields
        with self.log.open("a") as log:
            log.write((json.dumps(line, separators=(",", ":")) + "\n") * times)
        self.look()

    @property
    def files(self) -> set[str]:
        return {path.name for path in (self.directory / "banned").iterdir()}

    @property
    def banned(self) -> list[str]:
        status = self.bans.status()
        assert status
        return [one.client for one in status.latest]

    def lift(self, client: str) -> tuple[str, ...]:
        async def asked() -> tuple[str, ...]:
            (answer,) = [answer async for answer in self.bans.lift(LiftBans(client))]
            return answer.clients

        return asyncio.run(asked())


def test_who_tries_enough_is_banned_and_has_a_file(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.asked(V4, 2)
    site.asked(V4, status=404, refused_by="")
    assert site.files == set()
    site.asked(V4)
    assert site.files == {V4}
    site.asked(V6, 2)
    site.asked("2001:db8:0:7:1:2:3:4")
    assert set(site.banned) == {V4, "2001:db8:0:7::/64"}
    assert site.files == {V4, "2001:db8:0:7:"}


@pytest.mark.parametrize(
    ("client", "fields"),
    [
        ("10.1.2.3", {}),
        ("203.0.113.9", {"fetch_site": "cross-site"}),
        ("203.0.113.9", {"fetch_site": "same-origin", "scheme": "https"}),
        ("203.0.113.9", {"forwarded": "proxy"}),
        ("203.0.113.9", {"refused_by": "routes"}),
        ("unix:", {}),
        ("", {}),
    ],
)
def test_who_is_spared(tmp_path: Path, client: str, fields: dict[str, Any]) -> None:
    site = Site(tmp_path)
    site.asked(client, 50, **fields)
    assert site.files == set()


@pytest.mark.parametrize("fields", [{"fetch_site": "x"}, {"fetch_site": "cross-site", "scheme": "http"}])
def test_a_header_that_no_browser_sends_like_that_spares_nobody(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    site = Site(tmp_path)
    site.asked(V4, 3, **fields)
    assert site.files == {V4}


def test_a_proxy_s_header_spares_nobody_where_clients_come_directly(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.bans = Bans(lambda: site.plan, hides_many=lambda client: client == "198.51.100.1")
    site.look()
    for client in (V4, "198.51.100.1"):
        site.asked(client, 3, forwarded="proxy")
    assert site.files == {V4}


@pytest.mark.parametrize(
    ("client", "fields", "is_counted"),
    [
        (V4, {"forwarded": "proxy"}, True),
        (V4, {"fetch_site": "cross-site"}, True),
        ("10.1.2.3", {}, True),
        ("10.1.2.3", {"forwarded": "proxy"}, False),
        (V4, {"status": 429}, False),  # it is refused already
    ],
)
def test_one_more_header_does_not_end_the_count_of_guesses(
    tmp_path: Path, client: str, fields: dict[str, Any], *, is_counted: bool
) -> None:
    planned = PlannedBans(f"{tmp_path}/guessing", 20, 60.0, False, ("127.0.0.0/8",), True, "access.users")
    log = tmp_path / "access.log"
    log.touch()
    plan = SimpleNamespace(
        runtime=str(tmp_path), state=str(tmp_path), access_log=str(log), guards=Guards(guesses=planned)
    )
    bans = Bans(lambda: cast("Plan", plan), GUESSERS)
    bans._look()
    line = {"client": client, "status": STATUSES[GUESS], "refused_by": GUESS} | fields
    log.write_text((json.dumps(line, separators=(",", ":")) + "\n") * 20)
    bans._look()
    status = bans.status()
    assert status
    assert bool(status.latest) is is_counted


def test_people_behind_the_same_address_spare_it(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.asked(V4)
    site.asked(V4, 10, status=200, refused_by="")
    site.asked(V4, 8)
    assert site.files == set()
    site.asked(V4)
    assert site.files == {V4}, "now most of it is no page"


def test_a_ban_ends_in_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path)
    site.asked(V4, 3)
    now = time.time()
    for seconds, files in ((50, {V4}), (70, set[str]())):
        later = now + seconds
        monkeypatch.setattr(time, "time", lambda later=later: later)
        site.look()
        assert site.files == files


def test_what_a_dry_run_would_have_refused_spares_nobody(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.asked(V4)
    site.asked(V4, 50, status=200, refused_by="ban, dry run")
    site.asked(V4, 2)
    assert site.files == {V4}


def test_a_text_in_a_field_bans_nobody(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.asked(
        V4,
        9,
        refused_by="",
        agent='"refused_by":"scanner"',
        uri='/"client":"203.0.113.8","refused_by":"scanner"',
    )
    assert site.files == set()


def test_a_restart_keeps_the_bans_and_removes_files_of_nobody(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.asked(V4, 3)
    site.bans.leave()
    assert not (tmp_path / "banned").exists()
    (tmp_path / "banned").mkdir()
    (tmp_path / "banned" / "203.0.113.99").touch()
    again = Site(tmp_path)
    assert (again.files, again.banned) == ({V4}, [V4])
    exempt = Site(tmp_path, never=("203.0.113.0/24",))
    assert exempt.files == set(), "it is exempt now"


def test_without_the_option_all_bans_end(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.asked(V4, 3)
    site.plan.guards = Guards()  # type: ignore[misc]
    site.look()
    assert not (tmp_path / "banned").exists()
    assert not (tmp_path / "bans.json").exists()
    assert site.bans.status() is None


def test_a_list_that_somebody_spoiled_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "bans.json").write_text('{"banned": [{"client": 5')
    assert Site(tmp_path).files == set()


def test_a_ban_is_lifted_by_any_address_of_the_client(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.asked(V4, 3)
    site.asked(V6, 3)
    assert site.lift("2001:db8:0:7:ffff::9") == ("2001:db8:0:7::/64",)
    assert site.files == {V4}
    assert site.lift("203.0.113.8") == ()
    assert site.lift(ALL) == (V4,)
    assert site.files == set()
    for wrong in ("shop", "203.0.113.0/24", "", "2001:db8::/32", "2001:db8:0:7::/80", "../x"):
        with pytest.raises(PorticoError, match="is not a client"):
            site.lift(wrong)


def test_each_further_time_is_twice_as_long_up_to_a_day() -> None:
    known, now, lengths = BanList(Kept()), 0.0, []
    for _ in range(14):
        for _ in range(3):
            known.probe(V4, now, 3, 60.0)
        ban = known.banned[V4]
        lengths.append(ban.until - ban.since)
        now = ban.until
        known.expire(now)
        assert V4 not in known.banned
    assert lengths[:4] == [60, 120, 240, 480]
    assert lengths[-1] == 86_400
    known.expire(now + 86_400)
    for _ in range(3):
        known.probe(V4, now + 86_400, 3, 60.0)
    assert known.banned[V4].times == 1


def test_a_lifted_client_begins_anew() -> None:
    """Its tries are forgotten, and its next ban counts as the first; so it does after a day that nobody looked."""
    known = BanList(Kept())
    known.probe(V4, 0.0, 3, 60.0)
    known.probe(V4, 0.0, 3, 60.0)
    known.lift([V4])
    known.probe(V4, 0.0, 3, 60.0)
    assert known.banned == {}
    for now, times in ((1.0, 1), (70.0, 2), (200.0 + 86_400, 1)):
        for _ in range(3):
            known.probe(V4, now, 3, 60.0)
        assert known.banned[V4].times == times
        known.banned[V4] = msgspec.structs.replace(known.banned[V4], until=now)
        known.expire(now)
    known.lift([V4])
    for _ in range(3):
        known.probe(V4, 200.0 + 86_401, 3, 60.0)
    assert known.banned[V4].times == 1


def test_tries_that_are_more_than_a_minute_apart_do_not_add_up() -> None:
    known = BanList(Kept())
    for number in range(50):
        known.probe(V4, number * 40.0, 3, 60.0)
        known.expire(number * 40.0)
    assert known.banned == {}


def test_a_swarm_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ban_list, "MOST_BANNED", 20)
    monkeypatch.setattr(ban_list, "MOST_SUSPECTED", 10)
    monkeypatch.setattr(ban_list, "MOST_REMEMBERED", 5)
    known = BanList(Kept())
    for number in range(100):
        for _ in range(3):
            known.probe(f"2001:db8:0:{number:x}::/64", 0.0, 3, 60.0)
    assert (len(known.banned), known.is_full) == (20, True)
    known.expire(61.0)
    assert len(known.kept().former) == 5
    for number in range(100):
        known.probe(f"2001:db8:0:{number:x}::/64", 62.0, 3, 60.0)
    assert len(known._suspects) == 10
