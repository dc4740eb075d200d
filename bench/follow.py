"""What following the log costs Portico's own process: lines appended at a steady rate, CPU and memory while they come.

.venv/bin/python -m bench.follow [--rate 20000] [--seconds 30] [--looking 1]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from tests.support import Served, environment, served, until_ready

APP = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef home(): return 'home'\n"
STEPS_A_SECOND = 20


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rate", type=int, default=20_000, help="lines a second")
    words.add_argument("--seconds", type=int, default=30)
    words.add_argument("--looking", type=int, default=1, help="how many look on")
    asked = words.parse_args()
    with served({"app.py": APP}, "app:app", wait=False) as run, ExitStack() as beside:
        until_ready(run, 300)
        line = run.line(run.get())
        for _ in range(asked.looking):
            beside.enter_context(_looking(run))
        told = _measured(
            run, json.dumps(line, separators=(",", ":")).encode() + b"\n", asked.rate, asked.seconds
        )
    print(json.dumps({"rate": asked.rate, "looking": asked.looking} | told))


def _looking(run: Served) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "portico", "top", "--json"]
    return _Ended(command, cwd=run.directory, env=environment(run.directory), stdout=subprocess.DEVNULL)


class _Ended(subprocess.Popen[bytes]):
    """Ended with its block."""

    def __exit__(self, *error: object) -> None:
        self.terminate()
        self.wait()


def _measured(run: Served, line: bytes, rate: int, seconds: int) -> dict[str, float | int]:
    process = psutil.Process(run.process.pid)
    time.sleep(3)
    spent, memory, written = _cpu(process), [process.memory_info().rss], 0
    began = time.monotonic()
    with Path(run.state / "access.log").open("ab", buffering=0) as log:
        for step in range(1, seconds * STEPS_A_SECOND + 1):
            due = rate * step // STEPS_A_SECOND
            log.write(line * (due - written))
            written = due
            time.sleep(max(0.0, began + step / STEPS_A_SECOND - time.monotonic()))
            if step % STEPS_A_SECOND == 0:
                memory.append(process.memory_info().rss)
    took = time.monotonic() - began
    spent = _cpu(process) - spent
    return {
        "lines": written,
        "seconds": round(took, 1),
        "share_of_a_core": round(spent / took, 4),
        "us_a_line": round(spent / written * 1e6, 2),
        "mib_before": round(memory[0] / 2**20, 1),
        "mib_half": round(memory[len(memory) // 2] / 2**20, 1),
        "mib_after": round(memory[-1] / 2**20, 1),
    }


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
