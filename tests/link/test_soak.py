"""Everything at once for a while: 10 seconds here, SOAK_SECONDS=600 for the long form. Nothing fails, nothing grows."""

from __future__ import annotations

import os
import random
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable

import httpx
import psutil
import pytest

from tests.link.stage import Stage, read_all, stage
from tests.link.test_worker import APP, raw

SECONDS = float(os.environ.get("SOAK_SECONDS", "10"))
LEAST = SECONDS * 3
"""So many requests at least; a machine that is busy takes longer for them."""


def quick(on: Stage) -> bool:
    return on.get("/ready").text == "ready"


def wait(on: Stage) -> bool:
    return on.get("/wait-0.03").text == "waited 0.03"


def upload(on: Stage) -> bool:
    size = random.choice([1, 5_000, 300_000, 3_000_000])
    return on.get(random.choice(["/count", "/direct/count"]), "POST", content=b"x" * size).text == str(size)


def unread(on: Stage) -> bool:
    return on.get("/ready", "POST", content=b"x" * 2_000_000).text == "ready"


def stream(on: Stage) -> bool:
    return on.get("/ticks-3").text.count("data:") == 3


def file(on: Stage) -> bool:
    return on.get("/file").text == APP


def cut(on: Stage) -> bool:
    """Never whole."""
    try:
        return on.get("/cut?die").status_code == 502
    except httpx.HTTPError:
        return True


def leave(on: Stage) -> bool:
    """A client that does not wait for the end."""
    with on.connect(raw("GET", "/forever")) as connection:
        return bool(connection.recv(random.choice([1, 10_000])))


def drip(on: Stage) -> bool:
    """A client that sends slowly."""
    with socket.create_connection(("127.0.0.1", on.port), 30) as connection:
        for part in (raw("POST", "/direct/count", b"x" * 30)[at : at + 40] for at in range(0, 130, 40)):
            connection.sendall(part)
            time.sleep(0.05)
        return b"\r\n30" in read_all(connection)


def stranger(on: Stage) -> bool:
    """HTTP on the uwsgi socket, and somebody who only knocks."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(on.socket_path)
        if random.random() < 0.5:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return read_all(connection) == b""
    return True


@pytest.mark.timeout(SECONDS + 120)
def test_a_mixed_load_with_recycling_fails_nothing_and_grows_nothing() -> None:
    words = ("--max-requests", "400", "--max-requests-jitter", "200")
    with stage(APP, threads=8, workers=2, words=words, env={"PORTICO_DEADLINE": "20"}) as on:
        acts = [quick] * 20 + [wait] * 4 + [upload, unread, stream, file, cut, leave, drip, stranger]
        outcomes: Counter[str] = Counter()
        ends = time.monotonic() + SECONDS
        clients = [threading.Thread(target=_client, args=(on, acts, ends, outcomes)) for _ in range(8)]
        for client in clients:
            client.start()
        sizes = _sizes(on, ends)
        for client in clients:
            client.join()
        assert not [name for name in outcomes if not name.endswith(" ok")], outcomes
        assert outcomes.total() > LEAST
        print(f"\n{sum(outcomes.values())} requests in {SECONDS:g} s: {dict(outcomes)}")
        early, late = sizes[len(sizes) // 5 : len(sizes) // 2], sizes[len(sizes) // 2 :]
        assert statistics.median(late) < statistics.median(early) + (12 << 20)
        print("largest worker, MB:", *(round(statistics.median(part) / 1e6, 1) for part in (early, late)))
        assert "is stuck" not in on.log()
        assert "SIGKILL" not in on.log()


def _client(on: Stage, acts: list[Callable[[Stage], bool]], ends: float, outcomes: Counter[str]) -> None:
    while (now := time.monotonic()) < ends or (outcomes.total() <= LEAST and now < ends + 60):
        act = random.choice(acts)
        try:
            outcomes[f"{act.__name__} {'ok' if act(on) else 'wrong'}"] += 1
        except (OSError, httpx.HTTPError) as error:
            outcomes[f"{act.__name__} {error!r}"] += 1


def _sizes(on: Stage, ends: float) -> list[int]:
    """The resident bytes of the largest worker, twice a second."""
    sizes = []
    while time.monotonic() < ends:
        time.sleep(0.5)
        sizes.append(max((_rss(pid) for pid in on.workers()), default=0))
    return sizes


def _rss(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
