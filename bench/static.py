"""`python -m bench.static`: files from Portico, from a hand-tuned nginx and from Flask under Gunicorn, alternating.

Targets: at least 0.95 of the hand-tuned nginx's requests/s (the same binary), 20 times Flask's own static view. With
`--package` also the sizes of a real front-end bundle, fetched by npm into a directory that is gone afterwards.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import nginx
from bench.load import load
from bench.memory import own_memory
from bench.peers import Peer
from bench.running import Running, launched
from bench.workloads import Workload
from portico.measure.cpu import cpu_seconds
from portico.measure.programs import Program, Setup, Stand, portico_role
from portico.place.gateway.nginx import find_nginx
from portico.plan.precompress import is_candidate, kept
from portico.run.precompress.codings import ENCODE

_FILES = {
    "static/small.css": "a { color: teal }\n" * 113 + "\n" * 14,
    "static/large.bin": "0123456789abcdef" * (10 << 16),
}
_BROWSER = "Accept-Encoding: gzip, deflate, br, zstd"
_WORKLOADS = (
    Workload("small", "2 kB file", "/static/small.css"),
    Workload("large", "10 MB file", "/static/large.bin"),
    Workload("browser", "2 kB file, as browsers ask for it", "/static/small.css", headers=(_BROWSER,)),
)
_APP = "from flask import Flask\napp = Flask(__name__)\n"
_READY_SECONDS = 30
_LEAST, _TIMES = 0.95, 20


def _bare(stand: Stand) -> Setup:
    conf = nginx.files(stand.directory, stand.port)
    argv = [find_nginx("embedded").path, "-p", str(stand.directory), "-c", "nginx.conf", "-e", "stderr"]
    return Setup([Program("gateway", argv)], {"nginx.conf": conf, **_FILES})


def _portico(stand: Stand) -> Setup:
    private = [f"PORTICO_RUNTIME_DIR={stand.directory}/run", f"PORTICO_STATE_DIR={stand.directory}/state"]
    argv = [sys.executable, "-m", "portico", "run", "files.py", "--listen", f"127.0.0.1:{stand.port}"]
    program = Program("control", ["env", *private, *argv], portico_role)
    return Setup([program], {"files.py": _APP, **_FILES})


def _flask(stand: Stand) -> Setup:
    argv = [
        sys.executable,
        "-m",
        "gunicorn",
        "-w",
        "2",
        "-k",
        "gthread",
        "--threads",
        "4",
        "--no-control-socket",
    ]
    program = Program("app", [*argv, "-b", f"127.0.0.1:{stand.port}", "files:app"])
    return Setup([program], {"files.py": _APP, **_FILES})


_PEERS = (
    Peer("nginx", "nginx", "hand-tuned, the same binary", (), _bare),
    Peer("portico", "Portico", "defaults", (), _portico),
    Peer("flask", "Flask's static view", "Gunicorn, gthread 2 x 4", (), _flask),
)
Samples = dict[tuple[str, str], list[tuple[float, float]]]


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--package", default="", help="An npm package whose files are compressed, like three@0.160.0.")
def main(rounds: int, seconds: int, package: str) -> None:
    """Measure static files."""
    console, samples = Console(), defaultdict[tuple[str, str], list[tuple[float, float]]](list)
    with own_memory():
        for number in track(range(rounds), "measuring", console=Console(stderr=True)):
            for peer in _PEERS if number % 2 == 0 else tuple(reversed(_PEERS)):
                with launched(peer) as house:
                    _wait(house)
                    for workload in _WORKLOADS:
                        load(house.port, workload, 1)
                        samples[peer.key, workload.key].append(_measured(house, workload, seconds))
    _report(samples, console)
    if package:
        _sizes(package, console)


def _wait(house: Running) -> None:
    import http.client

    give_up = time.monotonic() + _READY_SECONDS
    while time.monotonic() < give_up:
        connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=5)
        try:
            connection.request("GET", _WORKLOADS[0].path)
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        finally:
            connection.close()
    raise click.ClickException(f"no answer: {house.dead()} {house.last_words()}")


def _measured(house: Running, workload: Workload, seconds: float) -> tuple[float, float]:
    """Requests a second, and CPU microseconds a request of the whole process tree."""
    tree = house.tree()
    before = sum(cpu_seconds(tree).values())
    found = load(house.port, workload, seconds)
    if found.unexpected or found.socket_errors:
        raise click.ClickException(
            f"{workload.title}: {found.unexpected + found.socket_errors} requests failed"
        )
    return found.requests / found.seconds, (sum(cpu_seconds(tree).values()) - before) / found.requests * 1e6


def _report(samples: Samples, console: Console) -> None:
    for workload in _WORKLOADS:
        table = Table(title=f"{workload.title} (medians; lowest and highest)", title_justify="left")
        for name in ("", "requests/s", "whole µs a request"):
            table.add_column(name, justify="right" if name else "left")
        rate = {}
        for peer in _PEERS:
            rates, costs = zip(*samples[peer.key, workload.key], strict=True)
            rate[peer.key] = median(rates)
            spread = f"{median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"
            table.add_row(f"{peer.name}, {peer.detail}", spread, f"{median(costs):.1f}")
        console.print(table)
        for other, least in (("nginx", _LEAST), ("flask", _TIMES)):
            ratio = rate["portico"] / rate[other]
            mark = "[bold green]pass[/]" if ratio >= least else "[bold red]FAIL[/]"
            console.print(f"Portico / {other}: {ratio:.2f}, at least {least} is wanted: {mark}")


def _sizes(package: str, console: Console) -> None:
    """Each coding of every file that Portico would compress, and plain zlib beside them as nginx does it."""
    import zlib

    total = defaultdict[str, int](int)
    with tempfile.TemporaryDirectory(prefix="portico-bench-") as directory:
        npm = ["npm", "pack", "--silent", "--pack-destination", directory, package]
        subprocess.run(npm, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["tar", "xzf", *map(str, Path(directory).glob("*.tgz"))], cwd=directory, check=True)
        files = [path for path in Path(directory, "package").rglob("*") if path.is_file()]
        for path in track(files, "compressing", console=Console(stderr=True)):
            content = path.read_bytes()
            if not is_candidate(path.name, len(content)):
                continue
            sizes = {coding: len(encode(content)) for coding, encode in ENCODE.items()}
            total["files"] += 1
            total["identity"] += len(content)
            total["gzip 5, as nginx goes"] += len(zlib.compress(content, 5)) + 12
            for coding, size in sizes.items():
                total[coding] += size if coding in kept(len(content), sizes) else len(content)
    table = Table(title=f"{package}: {total.pop('files')} files", title_justify="left")
    table.add_column("form")
    table.add_column("bytes", justify="right")
    table.add_column("of identity", justify="right")
    names = {"gzip": "gzip, zopfli", "br": "brotli 11", "zstd": "zstd 19"}
    for form, size in total.items():
        table.add_row(names.get(form, form), f"{size:,}", f"{size / total['identity']:.3f}")
    console.print(table)


if __name__ == "__main__":
    main()
