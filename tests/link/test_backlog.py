"""The bound of the queue: a burst while a worker is idle now and then, what is answered in time otherwise."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.link.wsgi.backlog import Backlog, Bounds, siblings
from tests.support import private_directory


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with private_directory() as directory, socket.socket(socket.AF_UNIX) as made:
        made.bind(str(directory / "app.sock"))
        made.listen(0)
        yield made


def room(listener: socket.socket, most: int = 200) -> int:
    """How many connections the kernel lets wait, until it refuses one; they are taken out again."""
    clients = []
    try:
        for count in itertools.count():
            client = socket.socket(socket.AF_UNIX)
            clients.append(client)
            client.setblocking(False)
            try:
                client.connect(listener.getsockname())
            except BlockingIOError:
                break
            if count == most:
                break
        for _ in clients[:-1]:
            listener.accept()[0].close()
        return len(clients) - 1
    finally:
        for client in clients:
            client.close()


def test_the_queue_holds_what_the_workers_answer_in_the_time_that_requests_may_wait(
    listener: socket.socket,
) -> None:
    backlog = Backlog(listener, Bounds(0.5, 100), threads=lambda: 4, workers=lambda: 2)
    backlog.look(10.0, 0, 0, was_idle=True)
    assert room(listener) == 101  # a socket holds one more than listen(2) is told
    backlog.look(11.0, 30, 0, was_idle=False)
    assert room(listener) == 31  # of 30 + 30 a second in half of one
    backlog.look(12.0, 40, 0, was_idle=False)
    assert room(listener) == 21  # 10 in the last second, 30 in that before
    backlog.look(13.0, 40, 0, was_idle=False)
    backlog.look(14.0, 40, 0, was_idle=False)
    backlog.look(15.0, 40, 0, was_idle=False)
    assert room(listener) == 9  # nobody answers: one for each thread
    alone = Backlog(listener, Bounds(0.5, 100), threads=lambda: 1, workers=lambda: 1)
    alone.look(10.0, 0, 0, was_idle=False)
    alone.look(11.0, 0, 0, was_idle=False)
    assert room(listener) == 9  # what one browser asks for at once
    backlog.look(16.0, 41, 0, was_idle=True)
    assert room(listener) == 101


def test_requests_wait_for_less_while_clients_leave_and_for_longer_again_when_they_stay(
    listener: socket.socket,
) -> None:
    backlog = Backlog(listener, Bounds(5, 150), threads=lambda: 1, workers=lambda: 1)
    backlog.look(0.0, 0, 0, was_idle=False)
    backlog.look(1.0, 20, 1, was_idle=False)
    assert room(listener) == 101  # 20 a second for 5 s: few left
    backlog.look(2.0, 40, 8, was_idle=False)
    assert room(listener) == 51
    for second in range(3, 9):
        backlog.look(float(second), second * 20, second * 10, was_idle=False)
    assert room(listener) == 11  # a tenth of the time is the least
    for second in range(9, 60):
        backlog.look(float(second), second * 20, 80, was_idle=False)
    assert room(listener) == 13  # slowly, for those who have just left would leave again
    for second in range(60, 600):
        backlog.look(float(second), second * 20, 80, was_idle=False)
    assert room(listener) == 101
    backlog.look(600.0, 12000, 500, was_idle=False)
    backlog.look(601.0, 12001, 500, was_idle=True)
    backlog.look(602.0, 12021, 500, was_idle=False)
    assert room(listener) == 101  # they keep up again


def test_the_queue_never_holds_more_than_a_burst(listener: socket.socket) -> None:
    backlog = Backlog(listener, Bounds(2, 50), threads=lambda: 1, workers=lambda: 1)
    backlog.look(10.0, 0, 0, was_idle=False)
    backlog.look(11.0, 1000, 0, was_idle=False)
    assert room(listener) == 51


def test_an_app_that_hangs_for_a_moment_is_known_to_be_quick(listener: socket.socket) -> None:
    """What it answered while a thread was idle is the least that it can do."""
    backlog = Backlog(listener, Bounds(2, 200), threads=lambda: 2, workers=lambda: 1)
    backlog.look(10.0, 0, 0, was_idle=True)
    backlog.look(11.0, 40, 0, was_idle=True)
    backlog.look(12.0, 50, 0, was_idle=True)  # at least 25, of 40 and 10
    assert room(listener, 300) == 201
    backlog.look(13.0, 130, 0, was_idle=False)  # 80 in the second that was busy at last
    assert room(listener, 300) == 161
    backlog.look(14.0, 130, 0, was_idle=False)
    assert room(listener, 300) == 81
    backlog.look(15.0, 130, 0, was_idle=False)
    assert room(listener, 300) == 41
    hangs = Backlog(listener, Bounds(2, 200), threads=lambda: 2, workers=lambda: 1)
    hangs.look(10.0, 0, 0, was_idle=True)
    hangs.look(11.0, 40, 0, was_idle=True)
    hangs.look(12.0, 40, 0, was_idle=False)
    assert room(listener, 300) == 41


def test_a_listener_that_was_closed_ends_no_worker(listener: socket.socket) -> None:
    listener.close()
    Backlog(listener, Bounds(1, 50), threads=lambda: 1, workers=lambda: 1).look(10.0, 0, 0, was_idle=True)


def test_what_cannot_be_read_is_named() -> None:
    assert Bounds.of({}) is None
    assert Bounds.of({"PORTICO_QUEUE": "1.5 4096"}) == (1.5, 4096)
    with pytest.raises(RuntimeError, match="PORTICO_QUEUE is 'soon', expected SECONDS REQUESTS"):
        Bounds.of({"PORTICO_QUEUE": "soon"})


def test_the_arbiter_s_children_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert siblings(3) >= 1
    monkeypatch.setattr(Path, "read_bytes", lambda _: (_ for _ in ()).throw(FileNotFoundError))
    assert siblings(3) == 3
