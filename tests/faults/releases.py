"""Releases, good and broken, changed configuration, slow starts, and requests that are in flight meanwhile."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

from tests.faults.clients import Clients
from tests.faults.kills import CONFIGURATION
from tests.faults.outcome import Outcome, judged
from tests.faults.stage import Stage, eventually, staged
from tests.support.clients import Asked, ask

FAILING = """\
from flask import Flask
app = Flask(__name__)
@app.get("/")
def index():
    raise RuntimeError("a release that does not answer")
"""


PATIENCE = "20s"
"""For a release that never answers well. What counts is what the site was started with."""


def reloads(times: int) -> Outcome:
    """Every fourth release is broken: it is dropped, and the one before serves on."""
    wrong: list[str] = []
    with staged("--start-timeout", PATIENCE) as stage, Clients(stage.port) as clients:
        breaking: list[Callable[[], None]] = [
            lambda: stage.write("app.py", "import no_such_module\n"),
            lambda: stage.write("app.py", FAILING),
            lambda: stage.write("app.py", "def broken(:\n"),
            lambda: stage.write("portico.toml", "no_such_key = 1\n"),
            lambda: stage.write("portico.toml", '[nginx]\nserver = ["no_such_directive on;"]\n'),
        ]
        served = "0"
        for turn in range(1, times + 1):
            stage.until_loaded()
            stage.release(str(turn))
            is_broken = turn % 4 == 0
            stage.write("portico.toml", "")
            if is_broken:
                breaking[turn // 4 % len(breaking)]()
            end = stage.reload()["notice"]
            if end != ("ReleaseDropped" if is_broken else "Switched"):
                wrong.append(f"reload {turn} ended with {end}")
            served = served if is_broken else str(turn)
            if (answer := ask(stage.port, "GET", "/")).said != served:
                wrong.append(f"after reload {turn}, expected {served}: {answer}")
        return judged(
            f"{times} reloads in a row, {times // 4} of them broken", "0", stage, clients,
            remarks=[f"the slowest request took {clients.slowest():.2f} s"], broken=wrong,
        )  # fmt: skip


def configuration(times: int) -> Outcome:
    """nginx reads its files again; clients that keep their connection and never retry lose nothing."""
    return _configuration(times, "embedded", may_lose_kept=False)


def configuration_of_an_old_nginx(times: int) -> Outcome:
    """A build without `keepalive_min_timeout` closes idle connections: `check` says so."""
    return _configuration(times, "system", may_lose_kept=True)


def _configuration(times: int, nginx: str, *, may_lose_kept: bool) -> Outcome:
    files = {"portico.toml": CONFIGURATION.format(mark="0")}
    with staged("--nginx", nginx, files=files) as stage, Clients(stage.port) as clients:
        wrong = []
        for turn in range(1, times + 1):
            stage.write("portico.toml", CONFIGURATION.format(mark=turn))
            if (end := stage.reload())["notice"] != "Switched":
                wrong.append(f"reload {turn}: {end}")
            time.sleep(0.3)
        return judged(
            f"nginx configuration changed {times} times, {nginx} nginx",
            "fresh connections: 0" if may_lose_kept else "0",
            stage, clients, may_fail=lambda asked: may_lose_kept and asked.is_kept, broken=wrong,
        )  # fmt: skip


def in_flight(seconds: float) -> Outcome:
    """A request that takes long is finished: through a reload, `portico stop` and a container's SIGTERM."""
    wrong: list[str] = []
    path = f"/wait/{seconds:g}"
    with staged() as stage:
        with Clients(stage.port) as clients:
            reloaded = _Asking(stage, path)
            stage.release("1")
            stage.reload()
            reloaded.join()
        stopped = _Asking(stage, path)
        began = time.monotonic()
        stage.run.stop(signal.SIGTERM)
        took = time.monotonic() - began
        stopped.join()
        stage.begin()
        stage.until_ready()
        ended = _Asking(stage, path)
        stage.stop()
        ended.join()
        flights = {"reload": (reloaded, "0"), "SIGTERM": (stopped, "1"), "portico stop": (ended, "1")}
        for what, (asking, release) in flights.items():
            clients.asked.append(asking.answer)
            if (asking.answer.status, asking.answer.said) != (200, release):
                wrong.append(f"{what}: {asking.answer}")
        return judged(
            f"reload, SIGTERM and stop during requests of {seconds:g} s", "0", stage, clients,
            remarks=[f"SIGTERM ended it after {took:.1f} s"], broken=wrong,
        )  # fmt: skip


class _Asking(threading.Thread):
    """One long request, well under way when this returns."""

    def __init__(self, stage: Stage, path: str) -> None:
        super().__init__()
        self._port, self._path = stage.port, path
        self.answer = Asked(path, 0, False, "", 0, 0, 0, "not asked")
        mark = stage.home / "wait.begun"
        mark.unlink(missing_ok=True)
        self.start()
        eventually(mark.exists)

    def run(self) -> None:
        self.answer = ask(self._port, "GET", self._path)


def slow_boot(seconds: float) -> Outcome:
    """An app that takes long to boot: visitors are told so, a reload to it costs nothing, one that takes too long is
    dropped."""
    sleeps = f"import time; time.sleep({seconds:g})\n"
    patience = seconds + 30
    wrong: list[str] = []
    with staged("--start-timeout", f"{patience:g}s", wait=False) as stage:
        # Started anew: the one that `staged` began found the quick app.
        stage.until_ready()
        stage.run.stop()
        stage.release("0", before=sleeps)
        began = time.monotonic()
        stage.begin("--start-timeout", f"{patience:g}s")
        told = _what_a_visitor_sees(stage, began + 3 * seconds + 60)
        stage.until_ready(3 * seconds + 60)
        ready = time.monotonic() - began
        with Clients(stage.port) as clients:
            stage.release("1", before=sleeps)
            if (end := stage.reload())["notice"] != "Switched":
                wrong.append(f"the reload to a slow release: {end}")
            time.sleep(0.5)
        return judged(
            f"an app that needs {seconds:g} s to boot", "0", stage, clients,
            remarks=[f"ready {ready:.1f} s after the start; meanwhile a visitor got {', '.join(told)}"],
            broken=wrong,
        )  # fmt: skip


def _what_a_visitor_sees(stage: Stage, give_up: float) -> list[str]:
    """Each different answer, in order, until the app itself answers."""
    seen: list[str] = []
    while time.monotonic() < give_up and stage.run.process.poll() is None:
        answer = ask(stage.port, "GET", "/")
        words = str(answer.status) if answer.status else "no connection"
        if words not in seen:
            seen.append(words)
        if answer.is_good:
            break
        time.sleep(0.1)
    return seen


def boot_too_slow(seconds: float) -> Outcome:
    """A release that does not answer within `start_timeout` is dropped, and the one before serves on."""
    with staged("--start-timeout", f"{seconds:g}s") as stage, Clients(stage.port) as clients:
        # It imports at once where the app is only asked, and hangs in the worker.
        stage.release(
            "1", before=f"import sys, time\n'gunicorn' in sys.modules and time.sleep({10 * seconds:g})\n"
        )
        began = time.monotonic()
        end = stage.reload()
        took = time.monotonic() - began
        time.sleep(0.3)
        said = str(end.get("problems", ""))
        wrong = (
            []
            if end["notice"] == "ReleaseDropped" and "healthy" in said
            else [f"the reload ended with {end}"]
        )
        wrong += [] if ask(stage.port, "GET", "/").said == "0" else ["the old release does not serve"]
        return judged(
            f"a release that does not boot within start_timeout ({seconds:g} s)", "0", stage, clients,
            remarks=[f"dropped after {took:.1f} s"], broken=wrong,
        )  # fmt: skip
