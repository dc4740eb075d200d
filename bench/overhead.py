"""What seeing costs: a one-line view with everything watched, and with nothing, in turns.

.venv/bin/python -m bench.overhead [--rounds 7] [--seconds 6]

`off` writes no line at all and nobody looks on. `log` writes the log file, which Portico follows. `all` has metrics,
too, that are fetched every five seconds, and a dashboard that is open; `shown` copies each line to standard output
besides, here a file. The time is that of the whole process tree, nginx, the app and Portico's own process, for each
request that wrk saw answered.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial

from bench.install import install
from bench.load import load
from bench.peers import PEERS, Peer
from bench.running import running
from bench.workloads import READY
from portico.measure.cpu import cpu_seconds
from portico.measure.programs import Setup, Stand
from tests.support import free_port

_LIMIT = 0.03
_SCRAPE_SECONDS = 5
_UNSEEN = '[log]\nshow = "off"\n[nginx]\nserver = ["access_log off;"]\n'
_LOGGED = '[log]\nshow = "off"\n'
_SEEN = """
[log]
show = "{2}"
[dashboard]
listen = "127.0.0.1:{0}"
password_file = "look.password"
[metrics]
listen = "127.0.0.1:{1}"
password_file = "look.password"
"""
_PASSWORD = "of-the-bench-alone"
_WHO = {"Authorization": f"Bearer {_PASSWORD}"}
_LOOKED_ON = ("all", "shown")
STATES = ("off", "log", *_LOOKED_ON)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=7)
    words.add_argument("--seconds", type=int, default=6)
    asked = words.parse_args()
    install(lambda _: None)
    spent: dict[str, list[float]] = {state: [] for state in STATES}
    for number in range(asked.rounds):
        for state in STATES if number % 2 == 0 else STATES[::-1]:
            spent[state].append(_round(state, asked.seconds))
    print(json.dumps({"seconds": asked.seconds} | _told(spent)))


def _round(state: str, seconds: int) -> float:
    """CPU microseconds of a request."""
    dashboard, metrics = free_port(), free_port()
    show = "json" if state == "shown" else "off"
    toml = {"off": _UNSEEN, "log": _LOGGED}.get(state) or _SEEN.format(dashboard, metrics, show)
    peer = Peer(state, state, "", (), partial(_setup, toml), "gunicorn")
    with running(peer) as house, _looking(dashboard, metrics) if state in _LOOKED_ON else nullcontext():
        load(house.port, READY, 2)
        time.sleep(1)
        before = sum(cpu_seconds(house.tree()).values())
        requests = load(house.port, READY, seconds).requests
        time.sleep(1)  # what was written is followed
        return (sum(cpu_seconds(house.tree()).values()) - before) / requests * 1e6


def _setup(toml: str, stand: Stand) -> Setup:
    """As the benchmark starts Portico, with a portico.toml."""
    return Setup(
        next(peer for peer in PEERS if peer.key == "portico").setup(stand).programs,
        {"portico.toml": toml, "look.password": _PASSWORD},
    )


@contextmanager
def _looking(dashboard: int, metrics: int) -> Iterator[None]:
    """A dashboard that is open, and Prometheus."""
    over = threading.Event()
    threads = [
        threading.Thread(target=_watch, args=(dashboard, over)),
        threading.Thread(target=_scrape, args=(metrics, over)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _watch(port: int, over: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/events", headers=_WHO)
    events = connection.getresponse()
    assert events.status == 200, events.status
    while not over.is_set() and events.readline():
        pass
    connection.close()


def _scrape(port: int, over: threading.Event) -> None:
    while not over.wait(_SCRAPE_SECONDS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with suppress(OSError):
            connection.request("GET", "/metrics", headers=_WHO)
            connection.getresponse().read()
        connection.close()


def _told(spent: dict[str, list[float]]) -> dict[str, object]:
    """Lowest and median of each state, and what a state takes more than nothing, of the lowest and by round."""
    told: dict[str, object] = {}
    for state in STATES:
        told[state] = {
            "us_min": round(min(spent[state]), 1),
            "us_median": round(statistics.median(spent[state]), 1),
        }
    for state in STATES[1:]:
        shares = [seen / unseen - 1 for seen, unseen in zip(spent[state], spent["off"], strict=True)]
        told[f"{state}_more"] = {
            "of_min": round(min(spent[state]) / min(spent["off"]) - 1, 4),
            "median_of_rounds": round(statistics.median(shares), 4),
        }
    return told | {"at_most": _LIMIT}


if __name__ == "__main__":
    main()
