"""A worker gets more threads while requests wait and its threads wait, too; never while they compute."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from portico.link.uwsgi import Answer
from portico.link.wsgi.growth import Growth
from portico.link.wsgi.request import Connection
from portico.link.wsgi.thread_pool import Slot, ThreadPool
from tests.link.stage import Stage, stage
from tests.support.until import PATIENCE_SECONDS, until

APP = """
import os, socket, time

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    kind = environ["PATH_INFO"]
    if kind == "/hold":
        with socket.socket(socket.AF_UNIX) as other:
            other.connect("hold.sock")
            other.recv(1)
    elif kind == "/compute":
        ends = time.thread_time() + 0.03
        while time.thread_time() < ends: pass
    return [str(os.getpid()).encode()]
"""
THREADS, MOST = 2, 24


class Holder:
    """What the views of /hold wait for: like a slow database."""

    def __init__(self, path: Path) -> None:
        self.held: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def let_go(self) -> bool:
        while self.held:
            self.held.pop().close()
        return True

    def _accept(self) -> None:
        while True:
            try:
                self.held.append(self._listener.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.let_go()


@pytest.fixture(scope="module")
def on() -> Iterator[tuple[Stage, Holder]]:
    with stage(APP, threads=THREADS, env={"PORTICO_THREADS": str(MOST)}) as it:
        holder = Holder(it.directory / "hold.sock")
        try:
            yield it, holder
        finally:
            holder.close()


@contextmanager
def clients(on: Stage, path: str, count: int) -> Iterator[list[Future[Answer]]]:
    with ThreadPoolExecutor(count) as pool:
        yield [pool.submit(on.ask, path, 120) for _ in range(count)]


def test_more_requests_are_served_at_once_while_they_wait(on: tuple[Stage, Holder]) -> None:
    it, holder = on
    with clients(it, "/hold", MOST + 3) as asked:
        until(lambda: len(holder.held) == MOST, lambda: f"{len(holder.held)} of {MOST}")
        until(lambda: holder.let_go() and all(one.done() for one in asked))
        assert {one.result().status for one in asked} == {200}


def test_a_reload_while_there_are_many_loses_no_request(on: tuple[Stage, Holder]) -> None:
    it, holder = on
    (old,) = it.workers()
    with clients(it, "/hold", MOST) as asked:
        until(lambda: len(holder.held) > THREADS)
        it.gunicorn.send_signal(signal.SIGHUP)
        until(lambda: set(it.workers()) - {old})
        # Those that still wait in the queue are for the new worker, which has threads of its own.
        until(lambda: len(holder.held) == MOST, it.log)
        holder.let_go()
        assert {one.result().status for one in asked} == {200}
    until(lambda: not psutil.pid_exists(old), it.log)


def test_a_worker_that_computes_gets_no_more() -> None:
    with stage(APP, threads=THREADS, env={"PORTICO_THREADS": str(MOST)}) as it:
        (worker,) = it.workers()
        before, most = _threads(worker), 0
        with clients(it, "/compute", 12) as asked:
            again = [it.ask("/compute", 120) for _ in range(8)]
            while not all(one.done() for one in asked):
                most = max(most, _threads(worker))
                again.append(it.ask("/compute", 120))
        assert {one.result().status for one in asked} | {one.status for one in again} == {200}
        assert most <= before


def test_threads_that_are_idle_end_and_all_end_with_the_worker(tmp_path: Path) -> None:
    path, go, inside = str(tmp_path / "s"), threading.Event(), list[str]()
    growth = Growth(most=9, linger_seconds=0.3)

    def serve(connection: Connection, slot: Slot) -> None:
        slot.began, slot.connection = time.monotonic_ns(), connection
        inside.append(slot.label)
        go.wait(60)
        slot.connection = None
        connection.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        listener.setblocking(False)
        pool = ThreadPool(
            listener, serve, lambda: None, count=2, most=9, name="growth", enough=99, growth=growth
        )
        pool.start()
        waiting = [_connected(path) for _ in range(9)]
        _often(lambda: _relieved(pool) and len(inside) == 9)
        assert pool.size == 9
        go.set()
        until(lambda: pool.size == 2)
        waiting.append(_connected(path))  # those that stay serve
        _often(lambda: _relieved(pool) and len(inside) == 10)
        pool.stop()
        until(lambda: not [one for one in threading.enumerate() if one.name.startswith("portico growth")])
    for one in waiting:
        one.close()


def test_the_last_idle_thread_stays_while_others_are_held(tmp_path: Path) -> None:
    path, go, inside = str(tmp_path / "s"), threading.Event(), list[str]()

    def serve(connection: Connection, slot: Slot) -> None:
        slot.began, slot.connection = time.monotonic_ns(), connection
        inside.append(slot.label)
        if len(inside) < 3:
            go.wait(60)
        slot.connection = None
        connection.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        listener.setblocking(False)
        growth = Growth(most=9, linger_seconds=0.1)
        pool = ThreadPool(
            listener, serve, lambda: None, count=2, most=9, name="last", enough=99, growth=growth
        )
        pool.start()
        waiting = [_connected(path) for _ in range(3)]
        _often(lambda: _relieved(pool) and len(inside) == 3)
        time.sleep(1)
        assert pool.size == 3
        go.set()
        until(lambda: pool.size == 2)
        pool.stop()
        until(lambda: not [one for one in threading.enumerate() if one.name.startswith("portico last")])
    for one in waiting:
        one.close()


def test_no_memory_no_threads() -> None:
    growth = Growth(9, room=lambda _: 0)
    _often(lambda: _has_measured(growth))
    assert not growth.take(2)


def test_a_half_more_after_each_measurement() -> None:
    growth = Growth(9)
    _often(lambda: _has_measured(growth))
    assert [growth.take(4) for _ in range(3)] == [True, True, False]
    assert not growth.take(9)


def test_a_thread_that_computes_is_not_one_that_waits() -> None:
    growth, here = Growth(9), threading.get_native_id()
    ends = time.thread_time() + 0.5
    while time.thread_time() < ends:
        growth.look(2, [here])
        growth.reopen()
        assert not growth.take(2)


def _often(seen: Callable[[], bool]) -> None:
    """As `until`, and as often as a worker's main thread looks: longer pauses are no measurement."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not seen():
        assert time.monotonic() < ends
        time.sleep(0.005)


def _has_measured(growth: Growth) -> bool:
    growth.look(4, [0, 0, 0, 0])  # threads that never were ready to run
    growth.reopen()
    return growth.is_waiting


def _relieved(pool: ThreadPool) -> bool:
    """What the worker's main thread does while connections wait."""
    pool.relieve_late()
    pool.relieve()
    return True


def _connected(path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    return client


def _threads(pid: int) -> int:
    return len([*Path(f"/proc/{pid}/task").iterdir()])


def test_the_look_at_the_main_thread_keeps_one_file_open() -> None:
    growth = Growth(4)
    before = _open_schedules()
    growth.look(1, [])
    for _ in range(5):
        growth.sleep(0)
    assert _open_schedules() <= before + 1


def _open_schedules() -> int:
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += descriptor.readlink().name == "schedstat"
    return found
