"""`python -m bench.tune`: five sites, each with one wrong setting. What `portico tune` says is measured again.

Each site is tuned with `portico tune --apply`. Then both texts of portico.toml, the old and the new, are started and
measured in turns, and the gain of the stated figure is compared with the one that `tune` stated.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from portico.cli.progress import ended_by_signals
from portico.measure.ask import ask, wait_until_ready
from portico.measure.contenders import Way, Words, portico
from portico.measure.model import Route, by_round
from portico.measure.programs import end_all
from portico.measure.session import Order, Session, launched
from portico.measure.statistics import ratio
from portico.measure.tune.model import FIGURES
from portico.project.gather import gather

_ALLOWED = 0.15
_ROUNDS, _SLICES, _CONNECTIONS = 8, 3, 16
_ASKED = 3

_APP = """
import json, time
from pathlib import Path
from flask import Flask, Response, send_from_directory
app = Flask(__name__, static_folder=None)

@app.get("/")
def index():
    return "hello"

@app.get("/sum")
def computes():
    return str(sum(number * number for number in range(40_000)))

@app.get("/wait")
def waits():
    time.sleep(0.05)
    return "done"

@app.get("/prices")
def prices():
    page = json.dumps([{"number": number, "price": number * 7 % 1000} for number in range(3_000)])
    return Response(page, content_type="application/json", headers={"Cache-Control": "public, max-age=60"})

@app.get("/report")
def report():
    time.sleep(2.5)
    return "finished"

@app.get("/assets/<path:name>")
def assets(name):
    return send_from_directory(Path(__file__).parent / "assets", name)
"""


class Planted(Struct, frozen=True):
    """A site with one wrong setting: its portico.toml, the route that shows it, the line that mends it."""

    what: str
    toml: str
    route: str
    mended: str


PLANTED = (
    Planted("one worker, a view that computes", "[workers]\ncount = 1  # as on the old host\n", "/sum",
            'workers.count = "auto"'),
    Planted("one thread, a view that waits", "[workers]\ncount = 2\nthreads = 1\n", "/wait",
            'workers.threads = "auto"'),
    Planted("files that the app sends itself", "[workers]\ncount = 2\n", "/assets/style.css",
            'static."/assets/" = "assets"'),
    Planted("the cache is off, answers are public", '[cache]\nsize = "0B"\n', "/prices", 'cache.size = "256MiB"'),
    Planted("too many workers for the memory", "[workers]\ncount = 12\n", "/sum", 'workers.count = "auto"'),
    Planted("request_timeout below the slowest page", 'request_timeout = "1s"\n', "/report",
            'request_timeout = "6s"'),
)  # fmt: skip


def main(words: list[str]) -> int:
    wanted = [one for one in PLANTED if not words or any(word in one.what for word in words)]
    wrong = 0
    with ended_by_signals():
        for one in wanted:
            with tempfile.TemporaryDirectory(prefix="tune-") as directory:
                wrong += _tuned_and_checked(one, Path(directory))
    return 1 if wrong else 0


def _tuned_and_checked(planted: Planted, home: Path) -> bool:
    home.chmod(0o755)
    (home / "app.py").write_text(_APP)
    if planted.route.startswith("/assets/"):
        (home / "assets").mkdir()
        (home / "assets/style.css").write_text("body { color: black }\n" * 400)
    (home / "portico.toml").write_text(f'app = "app:app"\n{planted.toml}')
    argv = [sys.executable, "-m", "portico", "tune", "--route", planted.route, "--apply", "--json"]
    code, out, errors = _run(argv, home)
    if code:
        print(f"{planted.what}: tune failed: {errors[-500:]}")
        return True
    found = json.loads(out)
    kept = [one for one in found["tuned"]["outcomes"] if one["is_kept"]]
    lines = [f"{'.'.join(one['candidate']['key'])} = {one['candidate']['value']}" for one in kept]
    if len(kept) != 1 or not found["saved"]:
        tuned = found["tuned"]
        print(
            f"{planted.what}: expected {planted.mended}, kept {lines}: {tuned['outcomes']} {tuned['advice']}"
        )
        return True
    (one,) = kept
    figure = one["candidate"]["figure"]
    before, after = home / "before.toml", home / "after.toml"
    before.write_text(Path(found["saved"]).read_text())
    after.write_text((home / "portico.toml").read_text())
    said = one["after"] if figure == "answered of 100" else one["ratio"]["ratio"]
    seen, others = _again(planted.route, figure, before, after)
    is_good = abs(seen / said - 1) <= _ALLOWED
    print(
        f"{planted.what} | {lines[0]} | {figure} | {one['before']:,.1f} -> {one['after']:,.1f} | said {said:.2f} | "
        f"again {seen:.2f} | {seen / said - 1:+.1%} {'ok' if is_good else 'OFF'} | others {others:.0%} | "
        f"load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return not is_good


def _run(argv: list[str], home: Path) -> tuple[int, str, str]:
    """The exit code and the output. If this process is ended meanwhile, the program may end what it started."""
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=home, stdout=pipe, stderr=pipe, text=True) as program:
        try:
            out, errors = program.communicate()
        finally:
            if program.poll() is None:
                program.terminate()
                program.communicate()
        return program.returncode, out, errors


def _again(route: str, figure: str, before: Path, after: Path) -> tuple[float, float]:
    """The gain, measured once more with both files; and what other programs took of the machine."""
    ways = [_way(path) for path in (before, after)]
    try:
        if figure == "answered of 100":
            return 100 * sum(_answers(ways[1], route)) / _ASKED, 0.0
        order = Order(
            app="app:app", ways=ways, candidates=[Route(route, "")], is_named=True, host="", rounds=_ROUNDS,
            slices=_SLICES, seconds=1, connections=_CONNECTIONS, start_seconds=120, limit_seconds=1e9, take_turns=True,
        )  # fmt: skip
        results = Session(order, "before", lambda _: None).run()
        first, second = (by_round(results.of(way.key, route), FIGURES[figure]) for way in ways)
        found = ratio(first, second)
        assert found is not None, results.problems
        return found.ratio, max(one.others for one in results.samples)
    finally:
        end_all()


def _way(config: Path) -> Way:
    flags: Mapping[str, Any] = {}
    found = gather(None, str(config), flags, alone=8080)
    return portico(found, Words(None, str(config), flags), None, config.stem, config.stem)


def _answers(way: Way, route: str) -> list[bool]:
    with launched(way) as programs:
        wait_until_ready(programs, "/", "", 120)
        return [ask(programs.port, route, "", 30).status == 200 for _ in range(_ASKED)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
