"""An event loop that runs so many requests at a time, while the others wait in the queue of its socket."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from portico.link.asgi.bounded import BoundedServer, at_once
from portico.link.websocket.leaving import Leaving
from portico.link.wsgi.queue import Queue
from tests.link.test_asgi_exchange import ENDLESS, HANDSHAKE, LOG, App, Peer, Site, ok, part, start, until
from tests.link.test_asgi_exchange import log as log
from tests.link.test_asgi_exchange import runner as runner
from tests.link.test_exchange import Lines


class Bounded(Site):
    """At most `most` requests run at a time."""

    def __init__(self, app: App, most: int, queue: Queue | None = None) -> None:
        super().__init__(app, LOG, queue=queue)
        self.server.pause()
        self.bounded = BoundedServer(self.listener, self.server._means, Leaving(None), most)
        self.server = self.bounded
        self.server.resume()


class Gate:
    """An app whose requests run until their path is opened."""

    def __init__(self) -> None:
        self.began = list[str]()
        self.running = self.most = 0
        self.open = Counter[str]()
        self.is_open = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.began.append(path)
        self.running += 1
        self.most = max(self.most, self.running)
        if path == "/stream":
            await start(send)
            await part(send, b"one ")
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
        while not (self.is_open or self.open[path]):
            await asyncio.sleep(0.001)
        self.running -= 1
        if scope["type"] == "websocket":
            return
        if path == "/stream":
            await part(send, b"two", False)
        else:
            await ok(send)


async def settled(site: Site) -> None:
    """What could begin has begun."""
    for _ in range(5):
        await asyncio.sleep(0.01)
    site.server.look()


async def rest(peers: list[Peer]) -> list[bool]:
    return [(await peer.read())[0].endswith(b"ok") for peer in peers]


def test_so_many_run_and_the_others_wait_in_their_order(runner: asyncio.Runner, log: Lines) -> None:
    async def play() -> None:
        gate = Gate()
        site = Bounded(gate, 2)
        peers = [await site.ask(PATH_INFO=f"/{number}") for number in range(6)]
        await until(lambda: gate.running == 2)
        await settled(site)
        assert gate.began == ["/0", "/1"]
        gate.open["/0"] += 1
        await until(lambda: gate.began == ["/0", "/1", "/2"])
        await settled(site)
        assert gate.began == ["/0", "/1", "/2"]
        gate.is_open = True
        assert await rest(peers) == [True] * 6
        assert (gate.most, gate.began) == (2, [f"/{number}" for number in range(6)])

    runner.run(play())
    assert not log.lines


@pytest.mark.parametrize("kind", ["stream", "websocket"])
def test_what_lasts_leaves_its_place_to_others(runner: asyncio.Runner, log: Lines, kind: str) -> None:
    async def play() -> None:
        gate = Gate()
        site = Bounded(gate, 1)
        lasting = await site.ask(PATH_INFO=f"/{kind}", **(HANDSHAKE if kind == "websocket" else {}))
        await lasting.until(b"\r\n\r\n")
        peer = await site.ask(PATH_INFO="/1")
        await until(lambda: "/1" in gate.began)
        waits = await site.ask(PATH_INFO="/2")
        await settled(site)
        assert "/2" not in gate.began
        gate.is_open = True
        assert await rest([peer, waits]) == [True, True]
        await lasting.read()
        await until(lambda: not site.server.unfinished)
        assert not site.bounded._running

    runner.run(play())
    assert not log.lines


def test_a_request_whose_client_left_while_it_waited_is_not_executed(
    runner: asyncio.Runner, log: Lines
) -> None:
    async def play() -> None:
        gate, queue = Gate(), Queue(ENDLESS)
        site = Bounded(gate, 1, queue)
        first = await site.ask(PATH_INFO="/0")
        await until(lambda: gate.running == 1)
        sent = f"{time.time() - 1:.3f}"
        waiting = [await site.ask(PATH_INFO=f"/{number}", PORTICO_MSEC=sent) for number in range(1, 20)]
        for peer in waiting[::2]:
            peer.close()
        gate.is_open = True
        assert await rest([first, *waiting[1::2]]) == [True] * 10
        assert sorted(gate.began) == sorted(["/0", *(f"/{number}" for number in range(2, 20, 2))])
        assert queue.skipped == queue.left == 10

    runner.run(play())
    assert not log.lines


def test_the_end_serves_those_that_wait_as_many_at_a_time(runner: asyncio.Runner, log: Lines) -> None:
    async def play() -> None:
        gate = Gate()
        site = Bounded(gate, 2)
        peers = [await site.ask(PATH_INFO=f"/{number}") for number in range(9)]
        await until(lambda: gate.running == 2)
        site.server.stop(takes_backlog=True)
        finishing = asyncio.ensure_future(site.server.finish(ENDLESS))
        await settled(site)
        assert len(gate.began) == 2
        gate.is_open = True
        assert await rest(peers) == [True] * 9
        assert gate.most == 2
        await finishing

    runner.run(play())
    assert not log.lines


def test_a_worker_that_others_follow_leaves_those_that_wait_to_them(
    runner: asyncio.Runner, log: Lines
) -> None:
    async def play() -> None:
        gate = Gate()
        site = Bounded(gate, 1)
        first = await site.ask(PATH_INFO="/0")
        await until(lambda: gate.running == 1)
        other = await site.ask(PATH_INFO="/1")
        site.server.stop(takes_backlog=False)
        gate.is_open = True
        assert await rest([first]) == [True]
        await site.server.finish(ENDLESS)
        assert gate.began == ["/0"]
        successor = BoundedServer(site.listener, site.server._means, Leaving(None), 1)
        successor.resume()
        assert await rest([other]) == [True]

    runner.run(play())
    assert not log.lines


def test_a_pause_while_it_is_full_lasts_until_it_is_over(runner: asyncio.Runner, log: Lines) -> None:
    async def play() -> None:
        gate = Gate()
        site = Bounded(gate, 1)
        peers = [await site.ask(PATH_INFO=f"/{number}") for number in range(3)]
        await until(lambda: gate.running == 1)
        await settled(site)
        site.server.pause()
        gate.is_open = True
        assert await rest(peers[:1]) == [True]
        await settled(site)
        assert gate.began == ["/0"]
        site.server.resume()
        assert await rest(peers[1:]) == [True, True]

    runner.run(play())
    assert not log.lines


def test_it_was_idle_if_it_could_have_taken_more(runner: asyncio.Runner, log: Lines) -> None:
    async def play() -> None:
        gate = Gate()
        site = Bounded(gate, 1)
        site.bounded.was_idle()
        site.server.look()
        assert site.bounded.was_idle()
        peers = [await site.ask(PATH_INFO=f"/{number}") for number in range(2)]
        await until(lambda: gate.running == 1)
        await settled(site)
        site.bounded.was_idle()
        site.server.look()
        assert not site.bounded.was_idle()
        gate.is_open = True
        assert await rest(peers) == [True, True]
        await settled(site)
        assert site.bounded.was_idle()

    runner.run(play())
    assert not log.lines


def test_a_number_that_is_none_is_one_line() -> None:
    assert at_once({}) == 0
    assert at_once({"PORTICO_AT_ONCE": "100"}) == 100
    with pytest.raises(RuntimeError, match="PORTICO_AT_ONCE is 'many', expected a number"):
        at_once({"PORTICO_AT_ONCE": "many"})
