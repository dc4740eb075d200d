"""Observers are told of each request once, whenever they come."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from portico.log.follow import MOST, Follower
from portico.plan.files import Process
from portico.plan.model import Plan
from portico.plan.subjects import Health, Ladder
from portico.protocol.status import GatewayStatus, SiteStatus
from portico.watch.live import Live
from tests.support import private_directory, run_out

STATUS = SiteStatus(name="test", app="app:app", phase="serving", live=1, pid=1, gateway=GatewayStatus("well"))


def plan(home: Path) -> Plan:
    """Nothing of it is started."""
    return Plan(
        name="test", app="app:app", urls=(), listen=(), server=Process("server", ("true",), "/"),
        gateway=Process("nginx", ("true",), "/"), files=(), directories=(), runtime=str(home), state=str(home),
        socket=f"{home}/app.sock", socket_group="", backlog=8, booting="", access_log=f"{home}/access.log",
        error_log="", binary="true", workers=1, threads=1, max_upload=0, ladder=Ladder.of(30),
        health=Health("/", "x", "http", "", 30), versions={}, app_log=f"{home}/app.log",
    )  # fmt: skip


def test_who_comes_while_the_processes_are_asked_is_told_of_no_request_twice() -> None:
    asked = list[str]()

    async def status() -> SiteStatus:
        await asyncio.sleep(0.4)
        return STATUS

    async def look_on(live: Live, after: float) -> list[str]:
        """The ids it is told until the last is among them."""
        await asyncio.sleep(after)
        seen = list[str]()
        async for item in live.follow():
            seen += [str(line["id"]) for line in item.requests]
            if "last" in seen:
                break
        return seen

    async def go(home: Path) -> list[list[str]]:
        made = plan(home)
        live = Live(made)
        watching = asyncio.create_task(run_out(live.watch(status, lambda: made, lambda _: None)))
        looking = [asyncio.create_task(look_on(live, 0.5 + number / 7)) for number in range(20)]
        with Path(made.access_log).open("a") as log:
            for name in [*(str(number) for number in range(50)), "last"]:
                asked.append(name)
                log.write(json.dumps({"id": name, "status": 200, "seconds": 0.0}) + "\n")
                log.flush()
                await asyncio.sleep(0.1)
        found = [await asyncio.wait_for(one, 60) for one in looking]
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return found

    with private_directory() as home:
        for seen in asyncio.run(go(home)):
            assert len(seen) > 1
            assert seen == sorted(set(seen), key=asked.index)


def test_of_a_flood_a_part_is_looked_at_and_counts_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four hundred thousand lines at once, some 30 MB."""
    many = 400_000
    lines = [
        f'{{"id":"{n:032}","status":{502 if n % 10 == 0 else 200},"bytes_out":{n},"seconds":0.0}}'
        for n in range(1000)
    ]
    text = "".join(f"{line}\n" for line in lines)
    asked = list[int]()
    read = Follower.text

    def counted(self: Follower, most: int = MOST) -> bytes:
        found = read(self, most)
        asked.append(len(found))
        return found

    async def status() -> SiteStatus:
        return STATUS

    async def go(home: Path) -> Live:
        made = plan(home)
        live = Live(made)
        Path(made.access_log).write_text(text * (many // len(lines)))
        watching = asyncio.create_task(run_out(live.watch(status, lambda: made, lambda _: None)))
        while not live.metrics.lines:
            await asyncio.sleep(0.01)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return live

    monkeypatch.setattr(Follower, "text", counted)
    with private_directory() as directory:
        metrics = asyncio.run(go(directory)).metrics
    assert sum(asked) < 8 << 20
    assert metrics.unreadable == 0
    assert metrics.lines == sum(metrics.classes) == pytest.approx(many, rel=0.02)
    assert metrics.classes[5] == pytest.approx(many / 10, rel=0.1)
