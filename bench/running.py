"""A peer that runs: started in a private directory, waited for, and ended with everything it ever started."""

from __future__ import annotations

import http.client
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.floor import APPS
from bench.peers import Peer
from bench.workloads import READY, Workload
from portico.measure.programs import Programs, Setup, end_all, program_names, stand

_READY_SECONDS = 30


class PeerError(Exception):
    """The peer did not start, or answers something else than the app does."""


class Running(Programs):
    """A peer's programs while they run."""

    def require(self, app_server: str) -> None:
        """A peer that starts its own app server must really run the one it is named after. Raises PeerError."""
        names = [program_names(process.cmdline()) for process, role in self.tree() if role == "app"]
        if app_server and not any(app_server in each for each in names):
            raise PeerError(f"runs no {app_server}")

    def check(self, workload: Workload, body_bytes: int | None = None) -> None:
        """One plain request: status, and size where it is known, must be the app's. Raises PeerError."""
        asked = f"{workload.method} {workload.path}"
        status, body = _request(self.port, workload)
        if status != workload.status:
            raise PeerError(f"{asked} gave {status}, expected {workload.status}")
        if body_bytes not in (None, len(body)):
            raise PeerError(f"{asked} gave {len(body)} bytes, the app gives {body_bytes}")


@contextmanager
def running(peer: Peer) -> Iterator[Running]:
    """The peer, answering. Raises PeerError if it does not start."""
    with launched(peer) as house:
        _wait_until_ready(house)
        house.require(peer.app_server)
        yield house


@contextmanager
def launched(peer: Peer) -> Iterator[Running]:
    """The peer's programs, started and not waited for. Whatever happens, nothing of them is left afterwards."""
    with stand() as own:
        setup = peer.setup(own)
        _furnish(own.directory, setup)
        house = Running(own)
        try:
            for program in setup.programs:
                house.launch(program)
            yield house
        finally:
            house.end()
            end_all()


def _furnish(directory: Path, setup: Setup) -> None:
    shutil.copytree(APPS, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in setup.files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)


def _wait_until_ready(house: Running) -> None:
    end = time.monotonic() + _READY_SECONDS
    problem = "no answer"
    while time.monotonic() < end:
        if dead := house.dead():
            raise PeerError(f"{dead}: {house.last_words()}")
        try:
            house.check(READY)
        except (OSError, http.client.HTTPException, PeerError) as error:
            problem = str(error)
        else:
            return
        time.sleep(0.05)
    raise PeerError(f"not ready after {_READY_SECONDS} s ({problem}): {house.last_words()}")


def _request(port: int, workload: Workload) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(workload.method, workload.path, body=b"x" * workload.body_bytes or None)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
