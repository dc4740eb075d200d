"""The listening sockets are Portico's: no nginx that ends, however it ends, takes clients' connections with it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from portico.run.sockets.closing import accept_again, refuse, until_taken
from tests.support import Served, environment, free_port, portico, private_directory, served, write_files
from tests.support.clients import STRANGERS, Clients
from tests.support.process import running as running_program
from tests.support.until import until

APP = """\
import os, socket, time

def app(environ, start):
    words = " ".join(name for name in os.environ if name == "NGINX" or name.startswith(("LISTEN_", "NOTIFY_")))
    if environ["PATH_INFO"] == "/slow":
        open("slow.begun", "w").close()
        while not os.path.exists("enough"):
            time.sleep(0.02)
    if environ["PATH_INFO"] == "/sockets":
        found = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if fd not in ("0", "1", "2")]
        words = " ".join(name for name in found if name.startswith("socket:"))
    start("200 OK", [("Content-Type", "text/plain")])
    return [words.encode()]
"""


def get(port: int, path: str = "/", host: str = "127.0.0.1", seconds: float = 60) -> bytes:
    with socket.create_connection((host, port), seconds) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def is_back(run: Served, times: int) -> bool:
    return run.stderr().count("nginx is back") == times


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("nginx", ["embedded", "system"])
def test_nobody_is_refused_while_a_killed_nginx_is_replaced(nginx: str) -> None:
    with served({"app.py": APP}, "--nginx", nginx) as run:
        with Clients(run.port, STRANGERS) as callers:
            for times in range(1, 4):
                time.sleep(0.3)
                run.master().kill()
                until(partial(is_back, run, times), run.stderr)
            time.sleep(0.3)
        assert "inherited" not in run.stderr()
    assert len(callers.good) > 50
    assert callers.failed == []


def test_the_app_gets_neither_the_sockets_nor_their_variable() -> None:
    with served(
        {"app.py": APP}, env={"NOTIFY_SOCKET": "@nobody", "LISTEN_FDS": "1", "LISTEN_PID": "1"}
    ) as run:
        assert run.get("/").text == ""
        row = next(line.split() for line in tcp() if line.split()[1].endswith(f":{run.port:04X}"))
        assert f"socket:[{row[9]}]" not in run.get("/sockets").text


def tcp() -> list[str]:
    """Every listening socket of the machine."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [row for row in rows if row.split()[3] == "0A"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_port_is_free_when_portico_has_ended(number: signal.Signals) -> None:
    with served({"app.py": APP}) as run:
        children = run.processes()
        run.stop(number)
        if number == signal.SIGKILL:  # the kernel tells its children, who then leave
            psutil.wait_procs(children, 60)
        with socket.socket() as other:
            other.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # connections in TIME_WAIT do not count
            other.bind(("127.0.0.1", run.port))


def test_new_clients_are_refused_while_nginx_finishes_what_it_has() -> None:
    with served({"app.py": APP}) as run:
        answers = list[bytes]()
        client = threading.Thread(target=lambda: answers.append(get(run.port, "/slow", seconds=60)))
        client.start()
        until((run.directory / "slow.begun").exists)
        run.process.send_signal(signal.SIGTERM)
        until(lambda: is_refused(run.port))
        assert run.process.poll() is None
        (run.directory / "enough").touch()
        client.join()
        assert answers[0].startswith(b"HTTP/1.1 200")


def test_clients_do_not_wait_for_an_nginx_that_is_down_when_portico_stops() -> None:
    with served({"app.py": APP}) as run:
        run.process.send_signal(signal.SIGSTOP)
        run.master().kill()
        run.process.send_signal(signal.SIGTERM)
        run.process.send_signal(signal.SIGCONT)
        assert run.process.wait(60) == -signal.SIGTERM
        assert is_refused(run.port)


@pytest.mark.parametrize("nginx", ["embedded", "system"])
def test_a_reload_may_change_where_it_listens(nginx: str) -> None:
    """The new address survives a kill -9 of nginx as the first one did, and nobody takes calls on the old one."""
    first, second = free_port(), free_port()
    with private_directory() as home:
        write_files(home, {"app.py": APP, "portico.toml": toml(first, nginx)})
        with running(home) as run:
            until(lambda: "Ctrl-C stops" in run.stderr())
            (home / "portico.toml").write_text(toml(second, nginx))
            assert portico("reload", cwd=home).returncode == 0
            until(lambda: is_refused(first))
            until(lambda: not is_refused(second))
            until(lambda: second in listening(run.process.pid))  # Portico takes its copy
            with Clients(second, STRANGERS) as callers:
                time.sleep(0.2)
                run.master().kill()
                until(lambda: "nginx is back" in run.stderr())
                time.sleep(0.2)
            assert callers.failed == []
            assert is_refused(first)
            run.stop()
            assert is_refused(second)


def listening(pid: int) -> set[int]:
    """The ports that this process has sockets for."""
    return {
        one.laddr.port for one in psutil.Process(pid).net_connections() if one.status == psutil.CONN_LISTEN
    }


def toml(port: int, nginx: str) -> str:
    return f'listen = "127.0.0.1:{port}"\n[nginx]\nbinary = "{nginx}"\n'


@contextlib.contextmanager
def running(home: Path, *words: str, **how: object) -> Iterator[Served]:
    """`portico run` with nothing but what portico.toml says."""
    out, err = home / "stdout.txt", home / "stderr.txt"
    argv = [sys.executable, "-m", "portico", "run", *words]
    with running_program(
        argv, cwd=home, env=environment(home), stdout=out, stderr=err, number=signal.SIGKILL
    ) as program:
        yield Served(program, home, 0, stderr_path=err, stdout_path=out)


def test_both_families_of_every_address_are_kept() -> None:
    port = free_port()
    with private_directory() as home:
        write_files(home, {"app.py": APP})
        with running(home, "--listen", f":{port}") as run:
            until(lambda: "Ctrl-C stops" in run.stderr())
            run.master().kill()
            assert get(port).startswith(b"HTTP/1.1 200")
            assert get(port, host="::1").startswith(b"HTTP/1.1 200")
            assert run.stop() == -signal.SIGTERM


def test_a_variable_of_the_user_s_called_nginx_does_not_confuse_nginx() -> None:
    with served({"app.py": APP}, env={"NGINX": "99;"}) as run:
        assert run.get("/").status_code == 200


@pytest.mark.parametrize("nginx", ["embedded", "system"])
def test_who_is_connected_when_a_site_stops_is_answered(nginx: str) -> None:
    """A connection that waited in the kernel's queue was reset with the socket, and a POST is never repeated."""
    with served({"app.py": APP}, "--nginx", nginx) as run:
        lost, answered = list[str](), list[int]()

        def post_until_refused() -> None:
            head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
            while True:
                try:
                    connection = socket.create_connection(("127.0.0.1", run.port), 60)
                except ConnectionRefusedError:
                    return
                with connection:
                    try:
                        connection.sendall(head)
                        answer = connection.recv(65536)
                    except OSError as error:
                        answer = repr(error).encode()
                if answer.startswith(b"HTTP/1.1 200"):
                    answered.append(1)
                else:
                    lost.append(answer[:80].decode())

        clients = [threading.Thread(target=post_until_refused) for _ in range(12)]
        for client in clients:
            client.start()
        until(lambda: len(answered) > 200)
        run.stop()
        for client in clients:
            client.join()
    assert not lost


def test_a_socket_is_closed_when_everybody_was_accepted_whom_the_kernel_took() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket() as first,
        socket.socket() as late,
    ):
        listener.setblocking(False)
        first.connect(listener.getsockname())
        refuse(listener)
        late.setblocking(False)
        assert late.connect_ex(listener.getsockname()) == errno.EINPROGRESS

        async def accepts() -> None:
            taken = asyncio.create_task(until_taken([listener]))
            await asyncio.sleep(0.2)
            assert not taken.done(), "somebody waits"
            listener.accept()[0].close()
            await asyncio.wait_for(taken, 60)

        asyncio.run(accepts())
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert late.connect_ex(listener.getsockname()) == errno.EALREADY
        accept_again(listener)
        with socket.create_connection(listener.getsockname(), 60):
            until(lambda: bool(select.select([listener], [], [], 0)[0]))
