"""The wall clock jumps for Portico, Gunicorn, the app and nginx (Debian's, which is linked dynamically)."""

from __future__ import annotations

import json
import struct
import subprocess
import time
from itertools import pairwise
from pathlib import Path

from portico.watch.history import put_aside
from tests.faults.clients import Clients
from tests.faults.outcome import Outcome, judged
from tests.faults.stage import eventually, staged
from tests.support import private_directory

HOUR, DAY = 3600, 86400
JUMPS = (HOUR, -HOUR, 400 * DAY, 0)
LOOK_SECONDS = 1.5


def clock_jumps(times: int) -> Outcome:
    """Forth and back by an hour and by more than a year; the monotonic clock goes on, as on a real machine."""
    with private_directory() as home:
        clock = home / "clock"
        _set(clock, 0)
        env = {"LD_PRELOAD": str(_compiled(home)), "FAULT_CLOCK": str(clock)}
        with staged("--nginx", "system", home=home, env=env) as stage:
            workers, wrong = {one.pid for one in stage.arbiter().children()}, []
            with Clients(stage.port) as clients:
                for turn in range(times):
                    time.sleep(LOOK_SECONDS)
                    clients.go_on(rounds=1)
                    _set(clock, JUMPS[turn % len(JUMPS)])
                time.sleep(LOOK_SECONDS)
                clients.go_on(rounds=1)
                if {one.pid for one in stage.arbiter().children()} != workers:
                    wrong.append("a worker was replaced")
                stage.release("1")
                if (end := stage.reload())["notice"] != "Switched":
                    wrong.append(f"a reload after the jumps: {end}")
            log = stage.run.state / "access.log"
            eventually(lambda: _jumps_in(log) >= times)  # nginx keeps lines in its buffer for a moment
            seen = _jumps_in(log)
            wrong += [] if seen >= times else [f"the log saw {seen} jumps"]
            return judged(
                f"the clock jumps {times} times, by up to 400 days", "0", stage, clients, broken=wrong
            )


def _compiled(directory: Path) -> Path:
    library = directory / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source], check=True)
    return library


def _set(clock: Path, seconds: int) -> None:
    """In place: it is mapped by everybody who looks at it."""
    with clock.open("r+b" if clock.exists() else "wb", buffering=0) as file:
        file.write(struct.pack("q", seconds))


def _jumps_in(log: Path) -> int:
    """How often the hour or the day of the log changed; a year later a log is put aside."""
    texts = [path.read_text().rpartition("\n")[0] for path in (*put_aside(log), log)]
    hours = [json.loads(line)["time"][:13] for text in texts for line in text.splitlines()]
    return sum(later != earlier for earlier, later in pairwise(hours))
