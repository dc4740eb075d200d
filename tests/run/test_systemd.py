"""Portico as a service: a datagram socket stands for systemd and is told, and given, what systemd would be."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from portico.protocol import notices
from portico.run.sockets.systemd import Service
from tests.run.test_listening import APP, get, is_refused
from tests.support import Served, environment, free_port, portico, private_directory, write_files
from tests.support.clients import STRANGERS, Clients
from tests.support.process import running
from tests.support.until import until

LAUNCH = """\
import fcntl, os, sys
given = [fcntl.fcntl(int(fd), fcntl.F_DUPFD_CLOEXEC, 500) for fd in sys.argv[1].split(",") if fd]
os.closerange(3, 500)
for number, fd in enumerate(given, 3):
    os.dup2(fd, number)
if given:
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(given)), "LISTEN_FDNAMES": sys.argv[2]}
os.execv(sys.executable, [sys.executable, "-m", "portico", "run", *sys.argv[3:]])
"""


class Manager:
    """What systemd is for a service: hears its messages, and keeps its sockets under their names."""

    def __init__(self, address: str) -> None:
        self.address, self.stored = address, dict[str, socket.socket]()
        self.messages: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            data, fds, *_ = socket.recv_fds(self._socket, 65536, 16)
            message = dict(line.split("=", 1) for line in data.decode().splitlines())
            if message.get("FDSTORE") == "1":
                self._store(message["FDNAME"], fds)
            if message.get("FDSTOREREMOVE") == "1":
                gone = self.stored.pop(message["FDNAME"], None)
                if gone is not None:
                    gone.close()
            self.messages.append(message)

    def _store(self, name: str, fds: list[int]) -> None:
        assert len(fds) == 1
        assert ":" not in name
        copy = socket.socket(fileno=fds[0])
        if name in self.stored:  # systemd compares the descriptors, too
            copy.close()
        else:
            self.stored[name] = copy

    def hear_all(self) -> None:
        """Wait until it has heard all that was said to it before."""
        word = f"MARK={time.monotonic_ns()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as said:
            said.sendto(word.encode(), self.address)
        until(lambda: self.heard(*word.split("=")))

    def heard(self, name: str, value: str = "1") -> list[dict[str, str]]:
        return [message for message in self.messages if message.get(name) == value]

    def states(self) -> list[str]:
        """The changes of state, in order."""
        names = ("READY", "RELOADING", "STOPPING")
        return [name for message in self.messages for name in names if message.get(name) == "1"]

    def close(self) -> None:
        for kept in self.stored.values():
            kept.close()
        self.stored.clear()


@contextlib.contextmanager
def started(
    home: Path, manager: Manager, given: Mapping[str, socket.socket], *words: str, **env: str
) -> Iterator[Served]:
    """`portico run` as systemd would start it."""
    out, err = home / "stdout.txt", home / "stderr.txt"
    fds = [one.fileno() for one in given.values()]
    with running(
        [sys.executable, "-c", LAUNCH, ",".join(map(str, fds)), ":".join(given), *words],
        cwd=home, env=environment(home) | {"NOTIFY_SOCKET": manager.address} | env, pass_fds=fds,
        stdout=out, stderr=err,
    ) as process:  # fmt: skip
        yield Served(process, home, 0, stderr_path=err, stdout_path=out)


@pytest.fixture
def home() -> Iterator[Path]:
    with private_directory() as path:
        write_files(path, {"app.py": APP})
        yield path


@pytest.fixture
def manager(home: Path) -> Iterator[Manager]:
    made = Manager(f"{home}/notify")
    yield made
    made.close()


def test_the_service_manager_hears_of_start_reload_and_stop(home: Path, manager: Manager) -> None:
    with started(home, manager, {}, "--listen", f"127.0.0.1:{free_port()}") as run:
        until(lambda: manager.heard("READY"))
        before = time.monotonic_ns() // 1000
        run.process.send_signal(signal.SIGHUP)
        until(lambda: len(manager.heard("READY")) == 2)
        (reloading,) = manager.heard("RELOADING")
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert manager.heard("READY")[1]["STATUS"] == "serving release 2"
        run.stop()
    until(lambda: manager.heard("STOPPING"))
    assert manager.states() == ["READY", "RELOADING", "READY", "STOPPING"]
    assert all(message.get("STATUS") != "" for message in manager.messages)
    assert not manager.heard("WATCHDOG")


def test_a_reload_that_fails_is_over_for_the_service_manager_too(home: Path, manager: Manager) -> None:
    with started(home, manager, {}, "--listen", f"127.0.0.1:{free_port()}") as run:
        until(lambda: manager.heard("READY"))
        (home / "app.py").write_text("raise SystemError('no')")
        run.process.send_signal(signal.SIGHUP)
        until(lambda: len(manager.heard("READY")) == 2)
        assert "release 2 was dropped" in manager.heard("READY")[1]["STATUS"]


def test_a_failed_start_is_never_called_ready(home: Path, manager: Manager) -> None:
    (home / "app.py").write_text("raise SystemError('no')")
    with started(home, manager, {}, "--listen", f"127.0.0.1:{free_port()}") as run:
        assert run.process.wait(60) == 4
    assert manager.states() == []


def test_a_reload_before_every_site_was_tried_is_not_told(home: Path, manager: Manager) -> None:
    """A gateway reloads its nginx when the first site knows its files, while others start."""
    service = Service(manager.address, 0, ())
    for item in (notices.Starting(1), notices.Reloading(2), notices.Switched(2, 0.1)):
        service.hear(item)
    service.hear(notices.Ready(1.0))
    service.hear(notices.Reloading(2))
    service.hear(notices.Switched(3, 0.1))
    until(lambda: len(manager.states()) == 3)
    assert manager.states() == ["READY", "RELOADING", "READY"]


def test_an_abstract_address(home: Path) -> None:
    manager = Manager(f"@portico-test-{os.getpid()}")
    with started(home, manager, {}, "--listen", f"127.0.0.1:{free_port()}"):
        until(lambda: manager.heard("READY"))


def test_the_watchdog_hears_a_beat_while_the_loop_runs_and_none_while_it_hangs(
    home: Path, manager: Manager
) -> None:
    words = ("--listen", f"127.0.0.1:{free_port()}")
    with started(home, manager, {}, *words, WATCHDOG_USEC="400000") as run:
        until(lambda: manager.heard("READY"))
        first, began = len(manager.heard("WATCHDOG")), time.monotonic()
        until(lambda: len(manager.heard("WATCHDOG")) >= first + 20)
        beats = len(manager.heard("WATCHDOG")) - first
        assert beats <= (time.monotonic() - began) / 0.2 + 8  # every 0.2 s; some may have waited to be heard
        run.process.send_signal(signal.SIGSTOP)
        until(lambda: psutil.Process(run.process.pid).status() == psutil.STATUS_STOPPED)
        manager.hear_all()
        silent = len(manager.heard("WATCHDOG"))
        time.sleep(2)
        manager.hear_all()
        assert len(manager.heard("WATCHDOG")) == silent
        run.process.send_signal(signal.SIGCONT)


def test_the_watchdog_of_another_process_is_not_ours() -> None:
    environment = {
        "NOTIFY_SOCKET": "/x",
        "WATCHDOG_USEC": "1000000",
        "WATCHDOG_PID": "1",
        "LISTEN_PID": "1",
        "LISTEN_FDS": "2",
    }
    service = Service.take(environment)
    assert (service._watchdog_seconds, service.taken, environment) == (0.0, (), {})


@pytest.mark.parametrize("nginx", ["embedded", "system"])
def test_a_restart_of_portico_itself_refuses_nobody(home: Path, manager: Manager, nginx: str) -> None:
    port = free_port()
    words = ("--listen", f"127.0.0.1:{port}", "--nginx", nginx)
    with contextlib.ExitStack() as stack:
        with started(home, manager, {}, *words) as run:
            until(lambda: manager.heard("READY"))
            until(lambda: list(manager.stored) == [f"listen-127.0.0.1-{port}"])
            callers = stack.enter_context(Clients(port, STRANGERS))
            until(lambda: len(callers.good) > 25)
            assert run.stop() == -signal.SIGTERM
        time.sleep(0.5)  # nothing runs at all
        with started(home, manager, manager.stored, *words) as run:
            until(lambda: len(manager.heard("READY")) == 2)
            until(lambda: len(callers.good) > 60)
            stack.close()
            assert callers.failed == []
            assert "handed over" not in run.stderr()
            run.stop()
    manager.close()
    assert is_refused(port)


def test_a_socket_from_the_store_that_is_not_wanted_any_more_is_forgotten(
    home: Path, manager: Manager
) -> None:
    first, second = free_port(), free_port()
    with started(home, manager, {}, "--listen", f"127.0.0.1:{first}"):
        until(lambda: manager.heard("READY"))
    assert not is_refused(first)
    with started(home, manager, dict(manager.stored), "--listen", f"127.0.0.1:{second}") as run:
        until(lambda: len(manager.heard("READY")) == 2)
        until(lambda: list(manager.stored) == [f"listen-127.0.0.1-{second}"])
        assert f"socket at 127.0.0.1:{first} (listen-127.0.0.1-{first}), which was closed" in run.stderr()
        assert is_refused(first)


def test_a_killed_portico_is_followed_by_one_that_takes_its_sockets(home: Path, manager: Manager) -> None:
    """Those who connect in between wait. What nginx had accepted when it was told to leave is finished."""
    port = free_port()
    words = ("--listen", f"127.0.0.1:{port}")
    with contextlib.ExitStack() as stack:
        with started(home, manager, {}, *words) as run:
            until(lambda: manager.heard("READY"))
            callers = stack.enter_context(Clients(port, STRANGERS))
            time.sleep(0.5)
            assert run.stop(signal.SIGKILL) == -signal.SIGKILL
        with started(home, manager, manager.stored, *words):
            until(lambda: len(manager.heard("READY")) == 2)
            time.sleep(0.5)
            stack.close()
            assert callers.refused == []


def test_sockets_of_a_socket_unit_are_taken_and_others_closed_with_a_word(
    home: Path, manager: Manager
) -> None:
    port, stranger = free_port(), socket.create_server(("127.0.0.1", 0))
    other = stranger.getsockname()[1]
    wanted = socket.create_server(("127.0.0.1", port))
    pipe = socket.socketpair()
    given = {"shop.socket": wanted, "extra.socket": stranger, "pair": pipe[0]}
    with started(home, manager, given, "--listen", f"127.0.0.1:{port}") as run:
        until(lambda: manager.heard("READY"))
        stranger.close()
        wanted.close()
        assert is_refused(other)
        assert get(port).startswith(b"HTTP/1.1 200")
        until(lambda: manager.heard("FDSTOREREMOVE"))
        said = run.stderr()
        assert (
            f"systemd handed over a socket at 127.0.0.1:{other} (extra.socket), which was closed: the site does not"
            in said
        )
        assert "systemd handed over a socket (pair), which was closed: it is not a TCP socket" in said
        assert "shop.socket" not in said
    until(lambda: list(manager.stored) == [f"listen-127.0.0.1-{port}"])


def test_a_socket_for_both_families_does_not_fit(home: Path, manager: Manager) -> None:
    port = free_port()
    both = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    with started(home, manager, {"shop.socket": both}, "--listen", f"[::]:{port}") as run:
        both.close()
        until(lambda: manager.heard("READY"))
        assert "set BindIPv6Only=ipv6-only" in run.stderr()


def test_the_store_follows_a_reload_that_changes_where_it_listens(home: Path, manager: Manager) -> None:
    first, second = free_port(), free_port()
    (home / "portico.toml").write_text(f'listen = "127.0.0.1:{first}"')
    with started(home, manager, {}):
        until(lambda: manager.heard("READY"))
        (home / "portico.toml").write_text(f'listen = "127.0.0.1:{second}"')
        assert portico("reload", cwd=home).returncode == 0
        until(lambda: list(manager.stored) == [f"listen-127.0.0.1-{second}"])


def test_lines_for_the_journal_carry_their_priority(home: Path, manager: Manager) -> None:
    port = free_port()
    (home / "stderr.txt").touch()
    found = (home / "stderr.txt").stat()
    journal = f"{found.st_dev}:{found.st_ino}"
    with started(home, manager, {}, "--listen", f"127.0.0.1:{port}", JOURNAL_STREAM=journal) as run:
        until(lambda: manager.heard("READY"))
        run.master().kill()
        until(lambda: "nginx is back" in run.stderr())
        lines = run.stderr().splitlines()
        assert "<6>starting ..." in lines
        assert any(line.startswith("<5>  ready in") for line in lines)
        assert "<4>nginx ended (killed by signal 9); starting it again at once" in lines
        assert all(line[:1] == "<" and line[2:3] == ">" for line in lines)
    with started(home, manager, {}, "--listen", "192.0.2.1:80", JOURNAL_STREAM=journal) as run:
        run.process.wait(60)
        assert run.stderr().startswith("<3>listen 192.0.2.1:80: this machine has no address")


def test_another_stderr_than_the_journal_s_gets_plain_lines(home: Path, manager: Manager) -> None:
    with started(home, manager, {}, "--listen", "192.0.2.1:80", JOURNAL_STREAM="1:1") as run:
        run.process.wait(60)
        assert run.stderr().startswith("listen 192.0.2.1:80")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_takes_the_exported_unit(home: Path) -> None:
    done = portico("export", "systemd", "--write", "units", "--user", "www-data", cwd=home)
    assert done.returncode == 0, done.stderr
    (unit,) = (home / "units").iterdir()
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert unit.name not in verified.stderr, verified.stderr
    assert verified.returncode == 0
