"""Something runs out: the disk, open files, memory, or the port was taken before."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.faults.clients import Clients
from tests.faults.outcome import Outcome, judged
from tests.faults.stage import Stage, eventually, is_root, staged
from tests.support import private_directory
from tests.support.clients import ask

FULL, ROOM_AGAIN = "is full: requests are still answered", "has room again"
OPEN_FILES = 256
LEAK_SECONDS = 90.0
"""A busy machine leaks slowly."""


def disk_full(seconds: float) -> Outcome:
    """A small file system for logs and bodies is filled up and emptied again, `seconds` in each state."""
    fault = "disk full for logs and temporary files"
    allowed = "0 of what needs no file; said once"
    if not is_root():
        return Outcome(fault, allowed, remarks=("needs root to mount a small file system; not tried",))
    with private_directory() as home, small_disk(home / "state", megabytes=8), staged(home=home) as stage:
        ballast = home / "state" / "ballast"
        with Clients(stage.port) as clients:
            time.sleep(0.5)
            fill(ballast)
            said = eventually(lambda: FULL in stage.run.stderr(), 60)
            time.sleep(seconds)
            large = ask(stage.port, "POST", "/", key="x" * (1 << 20))
            ballast.unlink()
            healed = eventually(lambda: ROOM_AGAIN in stage.run.stderr(), 60)
            time.sleep(0.5)
        words = stage.run.stderr()
        wrong = [
            f"said {words.count(what)} times: {what}" for what in (FULL, ROOM_AGAIN) if words.count(what) != 1
        ]
        return judged(
            fault, allowed, stage, clients, broken=wrong,
            remarks=[f"said after {said or 0:.1f} s, its end after {healed or 0:.1f} s",
                     f"a body of 1 MiB, which nginx puts in a file, meanwhile: {large.status}"],
        )  # fmt: skip


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[None]:
    path.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass


def worker_out_of_files(seconds: float) -> Outcome:
    """One of two workers cannot open, and so not accept, anything more for a while: the other one carries on."""
    with (
        staged(before=["prlimit", f"--nofile={OPEN_FILES}:{OPEN_FILES}"]) as stage,
        Clients(stage.port) as clients,
    ):
        time.sleep(0.5)
        began = time.monotonic()
        hog = threading.Thread(
            target=lambda: clients.asked.append(ask(stage.port, "GET", f"/files/{seconds:g}"))
        )
        hog.start()
        hog.join()
        back = clients.back_after(began, time.monotonic())
        time.sleep(0.5)
        return judged(
            f"no descriptors left in one of two workers for {seconds:g} s", "0", stage, clients,
            back_seconds=[back], back_within=1,
            remarks=[f"it held {_held(clients)} files, of {OPEN_FILES}"],
        )  # fmt: skip


def _held(clients: Clients) -> str:
    return next(asked.said for asked in clients.asked if asked.what.startswith("GET /files"))[:10]


def nginx_out_of_connections(count: int) -> Outcome:
    """More idle connections than nginx may hold: it closes the oldest of them, and serves whoever asks."""
    with (
        staged(before=["prlimit", f"--nofile={OPEN_FILES}:{OPEN_FILES}"]) as stage,
        Clients(stage.port) as clients,
    ):
        time.sleep(0.3)
        idle = []
        for _ in range(count):
            idle.append(socket.create_connection(("127.0.0.1", stage.port), 60))
            time.sleep(0.01)
        time.sleep(1)
        for one in idle:
            one.close()
        time.sleep(0.3)
        return judged(
            f"{count} idle connections, {OPEN_FILES} open files", "0", stage, clients,
        )  # fmt: skip


def too_few_files_to_start(limit: int) -> Outcome:
    """A limit under which nothing could work is said, in words, and nothing is left running."""
    with staged(before=["prlimit", f"--nofile={limit}:{limit}"], wait=False) as stage:
        code = stage.run.process.wait(60)
        words = stage.run.stderr()
        is_clear = code != 0 and "open files" in words and "Traceback" not in words
        wrong = () if is_clear else (f"exit code {code}: {words}",)
        return Outcome(
            f"{limit} open files at start", "a clear error", remarks=(_first_line(words),), broken=wrong
        )


def port_taken(_: int) -> Outcome:
    """Somebody else has the port: who, and what to do, in words."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with staged("--listen", f"127.0.0.1:{port}", wait=False) as stage:
            code = stage.run.process.wait(60)
            words = stage.run.stderr()
    is_clear = code == 1 and f"port {port} is taken" in words and "Traceback" not in words
    wrong = () if is_clear else (f"exit code {code}: {words}",)
    return Outcome("port taken at start", "a clear error", remarks=(_first_line(words),), broken=wrong)


def _largest_worker(stage: Stage) -> int:
    """Its resident bytes."""
    try:
        return max((worker.memory_info().rss for worker in stage.arbiter().children()), default=0)
    except psutil.Error:
        return 0  # one has just ended


def _first_line(words: str) -> str:
    return next((line.strip() for line in words.splitlines() if line.strip()), "")


def leak(seconds: float) -> Outcome:
    """A view that keeps 50 MB of each request: workers are replaced before they take the machine's memory."""
    with staged("--workers-max-memory", "300MiB") as stage:
        largest = 0
        began = time.monotonic()
        with (
            Clients(stage.port) as clients,
            Clients(stage.port, count=1, mix=("GET /leak",), pause_seconds=0.15) as leaking,
        ):
            pids: set[str] = set()
            while (passed := time.monotonic() - began) < seconds or (
                len(pids) <= 2 and passed < LEAK_SECONDS
            ):
                largest = max(largest, _largest_worker(stage))
                time.sleep(0.1)
                pids = {asked.said for asked in leaking.asked.copy() if asked.is_good}
        clients.asked += leaking.asked
        leaked = len(leaking.asked) * 50
        wrong = [] if len(pids) > 2 else [f"no worker was replaced: {pids}"]
        return judged(
            "an app that leaks 50 MB a request, max_memory 300 MiB", "0", stage, clients, broken=wrong,
            remarks=[f"{leaked} MB leaked over {len(pids)} workers, the largest had {largest >> 20} MiB"],
        )  # fmt: skip
