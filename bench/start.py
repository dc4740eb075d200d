"""`python -m bench.start`: from launch to the first 200, bare Gunicorn against Portico, alternating.

The app is examples/hello.py, the five lines every Flask app begins with. Target: Portico at most 0.4 s later.
"""

from __future__ import annotations

import http.client
import signal
import sys
import time
from statistics import median

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.install import HERE
from bench.peers import Peer
from bench.running import launched
from portico.measure.programs import Program, Setup, Stand

_HELLO = HERE.parent / "examples" / "hello.py"
_LATER_SECONDS = 0.4
_GIVE_UP_SECONDS = 30
_POLL_SECONDS = 0.002


def _gunicorn(stand: Stand) -> Setup:
    argv = [
        sys.executable,
        "-m",
        "gunicorn",
        "-b",
        f"127.0.0.1:{stand.port}",
        "--no-control-socket",
        "hello:app",
    ]
    return Setup([Program("app", argv)], {"hello.py": _HELLO.read_text()})


def _portico(stand: Stand) -> Setup:
    private = [f"PORTICO_RUNTIME_DIR={stand.directory}/run", f"PORTICO_STATE_DIR={stand.directory}/state"]
    argv = [sys.executable, "-m", "portico", "run", "hello.py", "--listen", f"127.0.0.1:{stand.port}"]
    return Setup([Program("control", ["env", *private, *argv])], {"hello.py": _HELLO.read_text()})


_BARE = Peer("gunicorn", "Gunicorn alone", "gunicorn hello:app", (), _gunicorn)
_PORTICO = Peer("portico", "Portico", "portico run hello.py", (), _portico)


@click.command()
@click.option("--times", type=click.IntRange(1), default=10, show_default=True, help="Starts of each.")
def main(times: int) -> None:
    """Measure how long a user waits for the first page."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    seconds: dict[str, list[float]] = {_BARE.key: [], _PORTICO.key: []}
    for number in track(range(times), "starting", console=Console(stderr=True)):
        for peer in (_BARE, _PORTICO) if number % 2 == 0 else (_PORTICO, _BARE):
            seconds[peer.key].append(_first_page_seconds(peer))
    _report(seconds[_BARE.key], seconds[_PORTICO.key], Console())


def _first_page_seconds(peer: Peer) -> float:
    with launched(peer) as house:
        while not _answers(house.port):
            late = time.monotonic() - house.launched_at > _GIVE_UP_SECONDS
            if problem := house.dead() or (late and f"no 200 in {_GIVE_UP_SECONDS} s"):
                raise click.ClickException(f"{peer.detail}: {problem}: {house.last_words()}")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - house.launched_at


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _report(bare: list[float], portico: list[float], console: Console) -> None:
    table = Table(title="seconds from launch to the first 200 of examples/hello.py", title_justify="left")
    for name in ("", "median", "fastest", "slowest"):
        table.add_column(name, justify="right" if name else "left")
    for peer, seconds in ((_BARE, bare), (_PORTICO, portico)):
        table.add_row(peer.detail, f"{median(seconds):.3f}", f"{min(seconds):.3f}", f"{max(seconds):.3f}")
    console.print(table)
    later = median(portico) - median(bare)
    mark = "[bold green]pass[/]" if later <= _LATER_SECONDS else "[bold red]FAIL[/]"
    console.print(f"Portico is {later:+.3f} s later; at most {_LATER_SECONDS} s is allowed: {mark}")


if __name__ == "__main__":
    main()
