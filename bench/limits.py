"""`python -m bench.limits`: how exact a rate is at ten times as many requests, and what a refused request costs nginx.

Each row asks for ten times the rate, evenly, once the burst is used up. One
client asks over one connection of HTTP/2, or over 16 of HTTP/1.1; 20 clients are 10 addresses of IPv4 and 10 networks
of IPv6, named by a declared proxy. The CPU is that of all processes of nginx, divided by the answers that wrk saw.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import psutil
from rich.console import Console
from rich.table import Table

from tests.support import Served, free_port, served

_APP = """
from pathlib import Path
from flask import Flask

app = Flask(__name__)


@app.get("/")
def home():
    with open("asked", "a") as file:
        file.write(".")
    return "home"
"""
_TOML = """
app = "shop:app"
behind = ["127.0.0.1"]
{https}
[limits]
rate = "{rate}"
[log]
show = "off"
"""
_HTTPS = '[https]\nmode = "local"\nhttp2 = "on"\nlisten = "127.0.0.1:{port}"\n'
_TIMES, _CONNECTIONS, _OFF = 10, 16, 0.05
_MOST_MICROSECONDS = 15
_AT_ONCE = 20
_H2_SECONDS = 8
"""nginx ends a connection after 1000 requests, and httpx does not go on in a new one."""


@click.command()
@click.option("--windows", type=click.IntRange(2), default=20, show_default=True, help="Seconds of a row.")
@click.option("--seconds", type=click.IntRange(1), default=8, show_default=True, help="Seconds of wrk.")
@click.option("--nginx", "builds", multiple=True, default=("embedded", "system"), show_default=True)
def main(windows: int, seconds: int, builds: tuple[str, ...]) -> None:
    """Measure how exact limits are, and what a refusal costs."""
    table = Table("nginx", "limit", "asked by", "let through", "wanted", "off by", "app saw more")
    costs = Table("nginx", "answer", "refused", "us of nginx's CPU each", "the app saw")
    unwanted = Table("nginx", "site", "asked by", "answer", "us of nginx's CPU each")
    for build in builds:
        for row in _accuracy(build, windows):
            table.add_row(build, *row)
        for row in _cost(build, seconds):
            costs.add_row(build, *row)
        for row in _unwanted(build, seconds):
            unwanted.add_row(build, *row)
    console = Console()
    console.print(table, costs, unwanted)
    console.print(f"wanted: off by at most {_OFF:.0%}, and at most {_MOST_MICROSECONDS} us")


def _accuracy(build: str, windows: int) -> Iterator[tuple[str, ...]]:
    one, many = (
        ["203.0.113.1"],
        [f"203.0.113.{n}" for n in range(11, 21)] + [f"2001:db8:0:{n}::1" for n in range(10)],
    )
    for rate, clients, is_h2, who in (
        ("10/second", one, False, f"one client, {_CONNECTIONS} connections"),
        ("10/second", one, True, "one client, HTTP/2"),
        ("60/minute", one, False, f"one client, {_CONNECTIONS} connections"),
        ("2/second", many, False, "20 clients, IPv4 and IPv6"),
    ):
        count = int(rate.partition("/")[0]) / (60 if "minute" in rate else 1)
        secure = free_port()
        toml = _TOML.format(rate=rate, https=_HTTPS.format(port=secure) if is_h2 else "")
        with served({"shop.py": _APP, "portico.toml": toml}, "--nginx", build) as run:
            lasting = min(windows, _H2_SECONDS) if is_h2 else windows
            url, before = f"https://127.0.0.1:{secure}/" if is_h2 else f"{run.url}/", _seen(run)
            found, elapsed = asyncio.run(_ask(url, count * _TIMES, lasting, clients, is_h2=is_h2))
            wanted = count * elapsed * len(clients)
            through = found[200]
            more = _seen(run) - before - found[0] - through
            yield rate, who, str(through), f"{wanted:.1f}", f"{through / wanted - 1:+.1%}", str(more)


async def _ask(
    url: str, rate: float, seconds: float, clients: list[str], *, is_h2: bool
) -> tuple[Counter[int], float]:
    """Answers by status, and the seconds it took, once the burst is over; 0 counts what was let through before."""
    limits = httpx.Limits(max_connections=1 if is_h2 else _CONNECTIONS * 4)
    found = Counter[int]()
    async with httpx.AsyncClient(
        verify=False, timeout=60
    ) as http:  # its requests count on no connection below
        burst = await asyncio.gather(*(_drained(http, url, client) for client in clients))
        found[0] = sum(burst)
    async with httpx.AsyncClient(http2=is_h2, verify=False, limits=limits, timeout=60) as http:
        begin = time.monotonic()
        counts = await asyncio.gather(
            *(_evenly(http, url, client, rate, begin, seconds) for client in clients)
        )
        elapsed = time.monotonic() - begin
    for count in counts:
        found += count
    return found, elapsed


async def _drained(http: httpx.AsyncClient, url: str, client: str) -> int:
    """What the client got before it was refused for the first time.

    Many at once: one after the other, a busy machine would never be faster than the rate.
    """
    count, is_refused = 0, False
    while not is_refused:
        asked = (http.get(url, headers={"X-Forwarded-For": client}) for _ in range(_AT_ONCE))
        answers = await asyncio.gather(*asked)
        count += sum(one.status_code == 200 for one in answers)
        is_refused = any(one.status_code == 429 for one in answers)
    return count


async def _evenly(
    http: httpx.AsyncClient, url: str, client: str, rate: float, begin: float, seconds: float
) -> Counter[int]:
    tasks = []
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
        tasks.append(asyncio.create_task(http.get(url, headers={"X-Forwarded-For": client})))
    return Counter(answer.status_code for answer in await asyncio.gather(*tasks))


def _seen(run: Served) -> int:
    """How often the app was asked."""
    file = Path(run.directory) / "asked"
    return len(file.read_text()) if file.exists() else 0


def _cost(build: str, seconds: int) -> Iterator[tuple[str, ...]]:
    toml = _TOML.format(rate="5/minute", https="")
    with served({"shop.py": _APP, "portico.toml": toml}, "--nginx", build) as run:
        nginx = [one for one in run.processes() if "nginx" in one.name()]
        for accept in ("text/html", "application/json"):
            before, seen = _nanoseconds(nginx), _seen(run)
            argv = [
                "wrk",
                "-t1",
                f"-c{_CONNECTIONS}",
                f"-d{seconds}s",
                "-H",
                f"Accept: {accept}",
                "-H",
                "X-Forwarded-For: 203.0.113.1",
                run.url + "/",
            ]
            text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
            refused = int((re.search(r"Non-2xx or 3xx responses: (\d+)", text) or ["", "0"])[1])
            each = (_nanoseconds(nginx) - before) / max(1, refused) / 1e3
            yield accept, str(refused), f"{each:.1f}", str(_seen(run) - seen)


def _unwanted(build: str, seconds: int) -> Iterator[tuple[str, ...]]:
    """A file for somebody, with and without the guards; and the refusals of a banned client and of a crawler."""
    person, scanner = "203.0.113.1", "203.0.113.2"
    for site, table in (
        ("without", ""),
        ("with ban", '[guard]\nban = "1h"\n'),
        ("with crawlers", '[crawlers]\ntraining = "refuse"\nnetworks = ["Googlebot 192.0.2.0/24"]\n'),
    ):
        toml = _TOML.format(rate="1000000/second", https="") + table
        files = {"shop.py": _APP, "portico.toml": toml, "static/a.txt": "a" * 1000}
        with served(files, "--nginx", build) as run:
            for number in range(30):
                run.get(f"/.env{number}", headers={"X-Forwarded-For": scanner})
            time.sleep(3)
            asked = [("a person", person, "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0")]
            asked += [("a scanner", scanner, "curl/8")] if "ban" in table else []
            asked += (
                [("GPTBot", person, "Mozilla/5.0 (compatible; GPTBot/1.2)")] if "crawlers" in table else []
            )
            for who, client, agent in asked:
                status = run.get(
                    "/static/a.txt", headers={"X-Forwarded-For": client, "User-Agent": agent}
                ).status_code
                each = min(_each(run, "/static/a.txt", client, agent, seconds) for _ in range(3))
                yield site, who, str(status), f"{each:.1f}"


def _each(run: Served, path: str, client: str, agent: str, seconds: int) -> float:
    """Microseconds of nginx's CPU for a request."""
    nginx = [one for one in run.processes() if "nginx" in one.name()]
    before = _nanoseconds(nginx)
    headers = ["-H", f"X-Forwarded-For: {client}", "-H", f"User-Agent: {agent}"]
    argv = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", *headers, run.url + path]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    count = int((re.search(r"(\d+) requests in", text) or ["", "0"])[1])
    return (_nanoseconds(nginx) - before) / max(1, count) / 1e3


def _nanoseconds(processes: list[psutil.Process]) -> int:
    """On a CPU so far, https://docs.kernel.org/scheduler/sched-stats.html"""
    return sum(int(Path(f"/proc/{one.pid}/schedstat").read_text().split()[0]) for one in processes)


if __name__ == "__main__":
    main()
