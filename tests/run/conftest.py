"""A Portico to try things on: started as its own process, on its own port, in its own short directory."""

from __future__ import annotations

import http.client
import json
import os
import queue
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support import free_port
from tests.support.clients import WRITERS, Clients
from tests.support.process import PIPE, Program, launch
from tests.support.until import until

HERE = Path(__file__).parent
SOURCE = HERE.parent.parent / "src"
PATIENCE_SECONDS = 60.0

APP = """\
import os, time

open(f"{os.getpid()}.booted", "w").close()

def app(environ, start):
    path = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with open("posts.log", "ab") as log:
            log.write(body + b"\\n")
    if path.startswith("/slow/"):
        open("slow.begun", "w").close()
        time.sleep(float(path.rpartition("/")[2]))
    if path == "/fail":
        raise SystemError("no")
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(os.environ["RELEASE"])))])
    return [os.environ["RELEASE"].encode()]
"""


@dataclass
class Site:
    """One directory, one port, and the Portico that serves it when it was started."""

    root: Path
    port: int
    notices: list[dict[str, Any]] = field(default_factory=list)
    process: Program | None = None
    _unread: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)

    @property
    def app(self) -> Path:
        return self.root / "app"

    @property
    def runtime(self) -> Path:
        return self.root / "run"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def words(self) -> str:
        """What it wrote to standard error."""
        return (self.root / "stderr").read_text()

    def begin(self, **wish: object) -> None:
        full = {"root": str(self.root), "port": self.port, "app": str(self.app), **wish}
        self.process = launch(
            [sys.executable, HERE / "serve.py", json.dumps(full)],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdout=PIPE,
            stderr=self.root / "stderr",
        )
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def start(self, **wish: object) -> None:
        self.begin(**wish)
        self.hear("Ready")

    def _listen(self, process: Program) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._unread.put(json.loads(line))

    def hear(self, name: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The next notice of that name; fails when it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                said = self._unread.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no {name} within {seconds} s, but {self.notices}\n{self.words}")
            self.notices.append(said)
            if said["notice"] == name:
                return said

    def get(
        self, path: str = "/", method: str = "GET", body: str | None = None, timeout: float = 60
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def begin_slow(self, seconds: float) -> Callable[[], tuple[int, str]]:
        """Ask for what takes so long, and return when the app has it. What it returns waits for the answer."""
        mark, answers = self.app / "slow.begun", list[tuple[int, str]]()
        mark.unlink(missing_ok=True)

        def ask() -> None:
            try:
                answers.append(self.get(f"/slow/{seconds:g}"))
            except (OSError, http.client.HTTPException) as error:
                answers.append((0, repr(error)))

        client = threading.Thread(target=ask)
        client.start()
        until(mark.exists, "the app was not asked")

        def answer() -> tuple[int, str]:
            client.join()
            return answers[0]

        return answer

    def wish(self, **changed: object) -> None:
        """What the next reload is to plan."""
        (self.root / "wish.json").write_text(json.dumps(changed))

    def reload(self) -> None:
        self.send(signal.SIGHUP)

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.send(number)
        return self.wait()

    def gateway(self) -> int:
        """The pid of nginx's master."""
        return next(pid for pid in self.leaders() if "nginx: master" in command(pid))

    def arbiter(self) -> int:
        """The pid of the newest Gunicorn arbiter."""
        found = [one for one in self._children() if "gunicorn" in command(one["pid"])]
        return int(max(found, key=lambda one: one["started"])["pid"])  # pids begin anew some day

    def leaders(self) -> list[int]:
        return [one["pid"] for one in self._children()]

    def _children(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.runtime / "children.json").read_text())
        return found

    def workers(self, master: int) -> list[int]:
        return list(map(int, Path(f"/proc/{master}/task/{master}/children").read_text().split()))

    def all_booted(self, count: int) -> bool:
        """Whether so many workers of the newest arbiter have loaded the app."""
        return sum((self.app / f"{pid}.booted").exists() for pid in self.workers(self.arbiter())) == count

    def processes(self) -> list[int]:
        """Everything alive that this site's Porticos ever started and we can still tell."""
        names = [path.name for path in Path("/proc").iterdir()]
        return [int(name) for name in names if name.isdigit() and self._is_ours(int(name))]

    def _is_ours(self, pid: int) -> bool:
        """By its environment, or by where it runs: nginx writes its title over its environment."""
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
            where = os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115  a deleted directory is no path
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        is_ours = f"PORTICO_TEST={self.root}".encode() in environ.split(b"\0")
        return state != "Z" and (is_ours or where.startswith(str(self.root)))

    def assert_nothing_is_left(self) -> None:
        until(lambda: not self.processes(), lambda: [command(pid) for pid in self.processes()])
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0, "something still listens"
        left = {path.name for path in self.runtime.glob("*")}
        if self.process is not None and self.process.returncode in (0, 129, 130, 143):
            assert not left
        else:  # after a failure its configuration can be looked at
            assert {name for name in left if not name.startswith("conf")} <= {"nginx.pid"}


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    root = Path(tempfile.mkdtemp(prefix="pt-", dir="/tmp"))  # short: a socket's path has 107 bytes
    monkeypatch.setenv("PORTICO_TEST", str(root))
    (root / "app").mkdir()
    (root / "app" / "app.py").write_text(APP)
    made = Site(root, free_port())
    yield made
    for pid in made.processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if made.process is not None:
        made.process.wait()
    until(lambda: not made.processes())
    shutil.rmtree(root)


@pytest.fixture
def clients(site: Site) -> Callable[..., Clients]:
    return lambda **how: Clients(site.port, WRITERS, **how)
