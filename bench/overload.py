"""`python -m bench.overload`: what is left of a site when more ask than it can answer.

Each peer is offered 2, 5 and 10 times of what it can answer, by clients that leave after 2 s. Wanted: useful answers
(200, whole, in time) at 90 % of its capacity. Then a few clients ask 20 times of it while others go on as before:
99 % of those answered, p99 at most three times that of a quiet site.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass

import click
from rich.console import Console

from bench import crowd, nginx
from bench.crowd import Crowd, Flow
from bench.install import VENV, install
from bench.peers import Peer, _nginx, _portico
from bench.running import PeerError, running
from portico.measure.programs import Program, Setup, Stand

_APP = """
import time
from flask import Flask

app = Flask(__name__)

@app.get("/text")
def text():
    return "Hello, world!"

@app.get("/wait/<int:ms>")
def wait(ms):
    time.sleep(ms / 1000)
    return "waited"

@app.get("/compute/<int:ms>")
def compute(ms):
    ends = time.thread_time() + ms / 1000
    while time.thread_time() < ends:
        pass
    return "worked"
"""
_THREADS = "8"
_CLOSED = 48
"""Clients that find out the capacity."""
_FACTORS = (2, 5, 10)
_GOODPUT, _SUCCESS, _SLOWER = 0.9, 0.99, 3.0
_SETTLE_SECONDS = 10.0
_PARTS = ("goodput", "fairness")
_HONEST, _FLOODERS, _FLOOD = 200, 4, 20


def _with_app(setup: Setup) -> Setup:
    return Setup(setup.programs, setup.files | {"app.py": _APP})


def _ours(stand: Stand) -> Setup:
    return _with_app(_portico(stand))


def _gunicorn(stand: Stand) -> Setup:
    argv = [
        str(VENV / "bin/gunicorn"),
        "-w",
        "2",
        "-k",
        "gthread",
        "--threads",
        _THREADS,
        "--no-control-socket",
    ]
    app = Program("app", [*argv, "-b", f"unix:{stand.socket}", "app:app"])
    return _behind(stand, app)


def _granian(stand: Stand) -> Setup:
    argv = [str(VENV / "bin/granian"), "--interface", "wsgi", "--workers", "2", "--no-ws"]
    app = Program("app", [*argv, "--blocking-threads", _THREADS, "--uds", str(stand.socket), "app:app"])
    return _behind(stand, app)


def _behind(stand: Stand, app: Program) -> Setup:
    conf = nginx.http_upstream(stand.directory, stand.port, stand.socket)
    return _with_app(Setup([app, _nginx(stand)], {"nginx.conf": conf}))


PEERS = (
    Peer("portico", "Portico", "defaults", (), _ours),
    Peer("gunicorn", "nginx + Gunicorn", "unix socket, gthread 2 x 8", (), _gunicorn),
    Peer("granian", "nginx + Granian", "unix socket, 2 x 8", (), _granian),
)


@dataclass(frozen=True)
class Measure:
    path: str
    seconds: float
    parts: Sequence[str]
    console: Console

    def say(self, words: str, is_met: bool | None = None) -> None:
        mark = {None: "", True: "  [bold green]pass[/]", False: "  [bold red]FAIL[/]"}[is_met]
        self.console.print(words + mark, soft_wrap=True, highlight=False)


@click.command()
@click.option("--peers", default=",".join(peer.key for peer in PEERS), show_default=True)
@click.option(
    "--path",
    multiple=True,
    default=("/wait/200", "/compute/20"),
    show_default=True,
    help="/wait/MS sleeps, /compute/MS computes. On a busy machine ask for less: /wait/600.",
)
@click.option("--part", type=click.Choice(list(_PARTS)), multiple=True, default=tuple(_PARTS))
@click.option("--seconds", type=click.FloatRange(2), default=15.0, show_default=True, help="Each step.")
@click.option("--rounds", type=click.IntRange(1), default=1, show_default=True)
def main(peers: str, path: Sequence[str], part: Sequence[str], seconds: float, rounds: int) -> None:
    """Offer each peer more than it can answer."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    chosen = [peer for peer in PEERS if peer.key in peers.split(",")]
    if any(peer.key != "portico" for peer in chosen):
        install(Console().print)
    for number in range(rounds):
        for each in path:
            for peer in chosen if number % 2 == 0 else reversed(chosen):
                _measure(peer, Measure(each, seconds, part, Console()))


def _measure(peer: Peer, of: Measure) -> None:
    of.say(f"[bold]{peer.name}[/] ({peer.detail}), {of.path}")
    for part in of.parts:
        try:
            with running(peer) as house:
                (_goodput if part == "goodput" else _fairness)(house.port, of, is_ours=peer.key == "portico")
        except PeerError as error:
            of.say(f"  {error}")


def _capacity(port: int, of: Measure, sources: Sequence[str]) -> float:
    flow = Flow(of.path, 2, 2 + of.seconds, sources, clients=_CLOSED)
    Crowd(port).run(Flow(of.path, 0, 2, sources, clients=_CLOSED), flow)
    return len(flow.seen.useful) / of.seconds


def _goodput(port: int, of: Measure, *, is_ours: bool) -> None:
    sources = crowd.addresses(1, 2000)
    capacity = _capacity(port, of, sources)
    of.say(f"  capacity {capacity:.0f}/s")
    for factor in _FACTORS:
        _rest(port)
        rate, ends = factor * capacity, _SETTLE_SECONDS + of.seconds
        warm, then = (
            Flow(of.path, begins, until, sources, rate)
            for begins, until in ((0, _SETTLE_SECONDS), (_SETTLE_SECONDS, ends))
        )
        made, seen = Crowd(port), then.seen
        made.run(warm, then)
        ratio = len(seen.useful) / of.seconds / capacity
        of.say(
            f"  {factor:2} x: useful {100 * ratio:5.1f} % of capacity, "
            f"p50 {1000 * crowd.percentile(seen.useful, 50):.0f} ms, p99 {seen.p99_ms():.0f} ms; "
            f"refused {len(seen.refused)} after {1000 * crowd.percentile(seen.refused, 50):.1f} ms (p50), "
            f"{1000 * crowd.percentile(seen.refused, 99):.0f} ms (p99); left {seen.left}; {seen.statuses}; "
            f"the first {_SETTLE_SECONDS:g} s: {100 * len(warm.seen.useful) / _SETTLE_SECONDS / capacity:.0f} %; "
            f"generator {1000 * made.lag_seconds:.0f} ms late",
            ratio >= _GOODPUT if is_ours else None,
        )


def _fairness(port: int, of: Measure, *, is_ours: bool) -> None:
    honest, flooders = crowd.addresses(1, _HONEST), crowd.addresses(2, _FLOODERS)
    capacity = _capacity(port, of, honest)
    rate, ends = capacity / 4, _SETTLE_SECONDS + of.seconds
    _rest(port)
    quiet = Flow(of.path, 0, of.seconds, honest, rate)
    Crowd(port).run(quiet)
    flood = Flow(of.path, 0, ends + 2, flooders, _FLOOD * capacity)
    early = [Flow(of.path, second, second + 1, honest, rate) for second in range(int(_SETTLE_SECONDS))]
    during = Flow(of.path, _SETTLE_SECONDS, ends, honest, rate)
    made = Crowd(port)
    made.run(flood, *early, during)
    each = ", ".join(f"{100 * one.seen.success:.0f}" for one in early)
    slower = during.seen.p99_ms() / max(quiet.seen.p99_ms(), 1)
    of.say(
        f"  a flood of {flood.seen.all / flood.ends / capacity:.1f} x from {_FLOODERS} clients: "
        f"others {100 * during.seen.success:.1f} % answered (quiet {100 * quiet.seen.success:.1f} %, "
        f"of the first seconds {each} %), p99 {during.seen.p99_ms():.0f} ms, "
        f"quiet {quiet.seen.p99_ms():.0f} ms: {slower:.1f} x; {during.seen.statuses}, left {during.seen.left}; "
        f"flood {flood.seen.statuses}, left {flood.seen.left}; generator {1000 * made.lag_seconds:.0f} ms late",
        (during.seen.success >= _SUCCESS and slower <= _SLOWER) if is_ours else None,
    )


def _rest(port: int) -> None:
    """Until the site answers at once again."""
    for _ in range(100):
        one = Flow("/text", 0, 0.1, ["127.0.0.1"], 20)
        Crowd(port).run(one)
        if one.seen.success == 1 and one.seen.p99_ms() < 500:
            time.sleep(2)
            return
        time.sleep(0.5)


if __name__ == "__main__":
    main()
