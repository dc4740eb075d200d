"""The threads of a worker hear of every connection, also when another worker took the wake-up and does nothing."""

from __future__ import annotations

import select
import socket
import threading
import time
from pathlib import Path

from portico.link.websocket.frames import WebSocketConnection
from portico.link.wsgi.request import Connection
from portico.link.wsgi.stream import Stream
from portico.link.wsgi.thread_pool import Slot, ThreadPool
from tests.support.until import until


def test_a_connection_that_somebody_else_was_woken_for_is_heard_after_a_nudge(tmp_path: Path) -> None:
    path, served = str(tmp_path / "s"), list[Connection]()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.setblocking(False)
        with select.epoll() as other:  # a worker that is woken first, and is killed before it accepts
            other.register(listener.fileno(), select.EPOLLIN | select.EPOLLEXCLUSIVE)
            sleeper = threading.Thread(target=other.poll, args=(60,), daemon=True)
            sleeper.start()

            def serve(connection: Connection, slot: Slot) -> None:
                served.append(connection)

            pool = ThreadPool(listener, serve, lambda: None, count=1, most=1, name="woken", enough=9)
            pool.start()
            waiting = [
                sleeper,
                *(one for one in threading.enumerate() if one.name.startswith("portico woken")),
            ]
            assert len(waiting) == 2
            for _ in range(30):  # also where a thread gets no processor for a while
                until(lambda: [_state(one) for one in waiting] == ["S"] * 2)
                time.sleep(0.01)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                time.sleep(0.3)
                assert not served, "the wake-up went to the other"
                pool.nudge()
                until(lambda: served)
            pool.stop()
    assert len(served) == 1


def test_the_default_timeout_of_an_app_s_sockets_is_none_of_its_clients(tmp_path: Path) -> None:
    """Answers to slow clients were cut, and WebSockets closed when they were silent for so long."""
    path, seen = str(tmp_path / "s"), list[float | None]()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen()
        listener.setblocking(False)

        def serve(connection: Connection, _: Slot) -> None:
            seen.append(connection.gettimeout())
            with WebSocketConnection(connection.detach()) as handed_over:
                seen.append(handed_over.gettimeout())

        socket.setdefaulttimeout(5)
        try:
            pool = ThreadPool(listener, serve, lambda: None, count=1, most=1, name="t", enough=9)
            pool.start()
            client.connect(path)
            until(lambda: len(seen) == 2)
        finally:
            socket.setdefaulttimeout(None)
        pool.stop()
    assert seen == [None, None]


def test_a_thread_that_sends_a_long_stream_says_nothing_of_how_many_requests_the_app_answers(
    tmp_path: Path,
) -> None:
    """One thread with ten event streams: the next request was refused at once, as if more came than are answered."""
    path, over, streams = str(tmp_path / "s"), threading.Event(), threading.Event()
    slots = list[Slot]()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.setblocking(False)

        def serve(connection: Connection, slot: Slot) -> None:
            slot.connection, slot.began = connection, time.monotonic_ns()
            if streams.is_set():
                slot.stream = Stream(connection, slot.ident)
            slots.append(slot)
            over.wait(60)
            slot.connection = slot.stream = None

        pool = ThreadPool(listener, serve, lambda: None, count=1, most=1, name="t", enough=9)
        pool.start()
        try:
            for is_stream in (False, True):
                (streams.set if is_stream else streams.clear)()
                over.clear()
                slots.clear()
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(path)
                    until(lambda: slots)
                    pool.was_idle()  # it was, before the request came
                    if is_stream:
                        until(pool.was_idle)
                    else:
                        time.sleep(1.2)
                        assert not pool.was_idle()
                    over.set()
                    until(lambda: slots[0].connection is None)
        finally:
            over.set()
            pool.stop()


def test_a_connection_wakes_one_thread(tmp_path: Path) -> None:
    """Where many waited in one epoll, the kernel woke a second one for each connection, which found nothing."""
    path, served, count = str(tmp_path / "s"), list[Connection](), 24
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.setblocking(False)
        pool = Counting(listener, lambda one, _: served.append(one), lambda: None, count=count, most=count,
                        name="one", enough=9999)  # fmt: skip
        pool.start()
        until(lambda: pool.waits == count)
        for number in range(1, 101):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                until(lambda number=number: len(served) == number and pool.waits >= count + number)  # type: ignore[misc]
        pool.stop()
    assert pool.waits < count + 120, "each but few have woken one thread"


class Counting(ThreadPool):
    """All threads take connections from the start; counts how often one finds none."""

    waits = 0

    def start(self) -> None:
        for _ in range(self._count):
            self._enlist(on_duty=True)

    def _wait(self, error: OSError, slot: Slot) -> bool:
        self.waits += 1
        return super()._wait(error, slot)

    def _rest(self, slot: Slot) -> None:
        """Nobody does."""


def _state(thread: threading.Thread) -> str:
    return Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()[0]
