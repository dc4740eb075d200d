"""The app that is tried, and a `portico run` around it that can be hurt."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from portico.run.control import client
from tests.support import (
    Served,
    end,
    environment,
    free_port,
    private_directory,
    rewrite,
    until_ready,
    write_files,
)
from tests.support.process import launch

APP = """\
import os, time
from flask import Flask, request

app = Flask(__name__)
posts = os.open("posts.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
kept = []

@app.get("/")
def index():
    return "RELEASE"

@app.post("/")
def post():
    os.write(posts, f"{request.get_data(as_text=True)} {os.getpid()}\\n".encode())
    time.sleep(0.02)  # long enough to be killed in the middle
    return "RELEASE"

@app.get("/work")
def work():
    time.sleep(0.02)
    return "RELEASE"

@app.get("/wait/<seconds>")
def wait(seconds):
    open("wait.begun", "w").close()
    time.sleep(float(seconds))
    return "RELEASE"

@app.get("/leak")
def leak():
    kept.append(b"x" * (50 << 20))
    return str(os.getpid())

@app.get("/files/<seconds>")
def files(seconds):
    held, until = [], time.monotonic() + float(seconds)
    while time.monotonic() < until:
        try:
            held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            time.sleep(0.001)  # what other requests give back is taken as well
    for one in held:
        os.close(one)
    return str(len(held))
"""


@dataclass
class Stage:
    """One site, served by a Portico that is started, hurt and started again in the same directories."""

    home: Path
    port: int
    run: Served
    listener: socket.socket | None = None
    """The listening socket, where it is handed over as a service manager would (sd_listen_fds(3))."""

    def begin(self, *words: str, before: Sequence[str] = (), env: Mapping[str, str] | None = None) -> None:
        """Start Portico. `before` is a program that starts it."""
        self.run.client.close()
        self.run = _begin(self.home, self.port, words, before, env or {}, self.listener)

    def until_ready(self, seconds: float = 120) -> None:
        """Ready, and with both workers: one is enough to serve."""
        until_ready(self.run, seconds)
        eventually(lambda: len(self.arbiter().children()) == 2)
        self.until_loaded()

    def until_loaded(self) -> None:
        """Both workers of the release that serves have its code: they would read what is put in its place."""
        eventually(self.is_loaded)

    def is_loaded(self) -> bool:
        """Whether both workers of the arbiter that runs now have loaded its code."""
        return len(list(self.run.runtime.glob(f"workers/{self.arbiter().pid}-*[0-9].json"))) == 2

    # What it serves ------------------------------------------------------------------------------------

    def release(self, name: str, *, before: str = "") -> None:
        """Put another release of the app there; it serves after a reload."""
        rewrite(self.home / "app.py", before + APP.replace("RELEASE", name))

    def write(self, name: str, text: str) -> None:
        rewrite(self.home / name, text)

    def reload(self) -> dict[str, Any]:
        """Reload, and the last thing that was said about it; that the code on the disk is another comes after that."""
        said = client.lines(str(self.run.runtime), "POST", "/reload")
        return [item for item in said if item["notice"] != "OtherCode"][-1]

    def stop(self) -> None:
        """As `portico stop` does."""
        list(client.lines(str(self.run.runtime), "POST", "/stop"))
        self.run.process.wait(60)

    def posts(self) -> dict[str, list[int]]:
        """Which process executed which POST, by its key."""
        path, found = self.home / "posts.log", dict[str, list[int]]()
        for line in path.read_text().splitlines() if path.exists() else ():
            key, _, pid = line.partition(" ")
            found.setdefault(key, []).append(int(pid))
        return found

    # Who serves it -------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        (answer,) = client.lines(str(self.run.runtime), "GET", "/status")
        return answer

    def nginx(self) -> psutil.Process:
        """nginx's master."""
        return psutil.Process(self.status()["gateway"]["pid"])

    def arbiter(self) -> psutil.Process:
        """Gunicorn's arbiter of the release that serves."""
        status = self.status()
        (pid,) = (one["pid"] for one in status["releases"] if one["number"] == status["live"])
        if pid is None:  # psutil would take it for this process
            raise psutil.NoSuchProcess(0)
        return psutil.Process(pid)

    def control(self) -> psutil.Process:
        return psutil.Process(self.run.process.pid)


@contextmanager
def staged(
    *words: str,
    files: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    wait: bool = True,
    home: Path | None = None,
    keeps_socket: bool = False,
) -> Iterator[Stage]:
    """The app behind Portico with two workers, on a free port; nothing is left afterwards."""
    with private_directory() as made, _kept_socket(keeps_socket) as listener:
        directory, port = home or made, listener.getsockname()[1] if listener else free_port()
        write_files(directory, {"app.py": APP.replace("RELEASE", "0"), **(files or {})})
        run = _begin(directory, port, words, before, env or {}, listener)
        stage = Stage(directory, port, run, listener)
        try:
            if wait:
                stage.until_ready()
            yield stage
        finally:
            end(stage.run)


@contextmanager
def _kept_socket(is_wanted: bool) -> Iterator[socket.socket | None]:
    if not is_wanted:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0), backlog=511) as listener:
        yield listener


_HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def _begin(
    home: Path,
    port: int,
    words: Sequence[str],
    before: Sequence[str],
    env: Mapping[str, str],
    listener: socket.socket | None = None,
) -> Served:
    out, err = home / "stdout.txt", home / "stderr.txt"
    argv = [
        *before,
        sys.executable,
        "-m",
        "portico",
        "run",
        "--listen",
        f"127.0.0.1:{port}",
        "--workers",
        "2",
        *words,
    ]
    kept = [listener.fileno()] if listener else []
    if kept:
        argv = [sys.executable, "-I", "-S", "-c", _HAND_OVER, str(kept[0]), *argv]
    process = launch(argv, cwd=home, env=environment(home) | dict(env), stdout=out, stderr=err, pass_fds=kept)
    return Served(process, home, port, stderr_path=err, stdout_path=out)


def eventually(is_so: Callable[[], bool], seconds: float = 60.0) -> float | None:
    """How long it took until it was so; None when it was not in time."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(0.01)
    return time.monotonic() - began


def is_root() -> bool:
    return os.geteuid() == 0
