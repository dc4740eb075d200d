"""What several tests need: free ports, private directories, golden files, and Portico itself as a user starts it."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from portico.log.request import as_json
from portico.ticks import Rounds
from tests.support import commands
from tests.support.process import Forked, Program, launch
from tests.support.until import PATIENCE_SECONDS, until

RULE = "-" * 80
AS_ROOT = {"PORTICO_USER": "root"} if os.geteuid() == 0 else {}
"""Apps of tests write beside their code, which belongs to whoever runs the tests; `run/test_users` is about others."""
USUAL = AS_ROOT | {"PORTICO_NGINX": "embedded"}
"""The same nginx on every machine; the tests of the installed one and of `auto` say so."""
ROOT = Path(__file__).parents[2]
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""`verify` of a client that speaks no TLS: httpx reads the certificates of all authorities for each, 20 ms."""
KEEP_NONE = httpx.Limits(max_keepalive_connections=0)
"""Of a client whose gateway may reload while it asks. Debian's nginx 1.22 and httpd close idle connections then, and a
request that is on its way on one is lost; `tests/faults` counts those."""
GATEWAY = "TESTS_GATEWAY"
"""The variable with the gateway that takes nginx's place in a run of the live tests."""
_NOT_A_USER_S = ("PORTICO", "FLASK", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
_CHANCE = random.SystemRandom()
"""pytest-randomly gives each process the same beginning for the ordinary one."""


def golden(path: Path, actual: str) -> None:
    """Compare with what stands below the rule in a golden file; GOLDEN=update writes it anew."""
    given, _, expected = path.read_text().partition(RULE + "\n")
    if os.environ.get("GOLDEN") == "update":
        path.write_text(f"{given}{RULE}\n{actual}")
    else:
        assert actual == expected, f"{path.name} differs; `make golden` writes it anew"


_ports: deque[socket.socket] = deque(maxlen=100)


def free_port() -> int:
    """A port for a server that is started later.

    The kernel gives it to nobody by itself, and no other test is told it meanwhile, in whichever process it runs:
    a name in the abstract namespace of sockets stands for it, until this process has asked for a hundred others.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = _CHANCE.randrange(10_240, lowest if lowest > 20_000 else 65_536)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0portico-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("", port))
        except OSError:
            name.close()
            continue
        _ports.append(name)
        return port


@contextmanager
def private_directory() -> Iterator[Path]:
    """A directory with a short path (sockets) that nginx's user may enter, which pytest's own is not."""
    path = Path(tempfile.mkdtemp(prefix="pt-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def walk(*tops: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """What is in directories that a running site writes, without what goes away meanwhile and without drafts.

    A draft is what `atomic.write` renames in a moment.
    """
    for top in tops:
        for home, folders, files in os.walk(top):
            for name in (*folders, *(name for name in files if not re.fullmatch(r"\..+\.\d+", name))):
                with suppress(FileNotFoundError):
                    yield (path := Path(home, name)), path.lstat()


def contents(*tops: Path) -> dict[Path, bytes]:
    """The regular files in directories that a running site writes, and what they hold."""
    found = {}
    for path, status in walk(*tops):
        if stat.S_ISREG(status.st_mode):
            with suppress(FileNotFoundError):
                found[path] = path.read_bytes()
    return found


def rewrite(path: Path, text: str) -> None:
    """New code in the place of old; Python takes bytecode for fresh whose source has the same second and size."""
    before = path.stat().st_mtime if path.exists() else time.time()
    path.write_text(text)
    os.utime(path, (before + 2, before + 2))


def write_files(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            rewrite(path, text)
        else:
            path.write_text(text)


@dataclass
class Served:
    """A running `portico run`."""

    process: Program | Forked
    directory: Path
    port: int
    prefix: str = ""
    stderr_path: Path = Path()
    stdout_path: Path = Path()
    client: httpx.Client = field(
        default_factory=lambda: httpx.Client(verify=PLAIN, timeout=60, limits=KEEP_NONE)
    )

    @property
    def is_apache(self) -> bool:
        """Whether Apache httpd is the gateway, which answers some failures with another status."""
        return "apache" in self.process.args  # type: ignore[operator]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> Path:
        return _only(self.directory / "state")

    @property
    def runtime(self) -> Path:
        return _only(self.directory / "run")

    def get(self, path: str = "/", **more: Any) -> httpx.Response:
        return self.client.get(self.url + path, **more)

    def stderr(self) -> str:
        return self.stderr_path.read_text()

    def stdout(self) -> str:
        return self.stdout_path.read_text()

    def until_said(self, words: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for words on stderr: a thread writes them, perhaps a moment after an answer tells the same."""
        until(lambda: words in self.stderr(), lambda: f"not said: {words}\n{self.stderr()[-5000:]}", seconds)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def raw(self, request: bytes, seconds: float = 30) -> bytes:
        """What nginx answers to these exact bytes, until it closes or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as connection:
            connection.sendall(request)
            received = b""
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except (TimeoutError, ConnectionResetError):
                pass
            return received

    def processes(self) -> list[psutil.Process]:
        """Those that it has started; none if it has just ended."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def called(self, *words: str) -> list[psutil.Process]:
        """Those of its processes whose command line has one of these words; some may end while we look."""
        found = list[psutil.Process]()
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                if any(word in " ".join(process.cmdline()) for word in words):
                    found.append(process)
        return found

    def until_all_have_loaded(self, count: int) -> None:
        """Wait for so many workers, of all releases. One is enough to serve; another may still read the app's files."""
        until(lambda: len(list(self.runtime.glob("workers/*-*[0-9].json"))) >= count, self.stderr)

    def master(self) -> psutil.Process:
        """The gateway's main process, as soon as it is there."""
        if self.is_apache:
            return psutil.Process(int(until(lambda: _text(self.runtime / "httpd.pid"), self.stderr)))
        return until(lambda: self.called("nginx: master"), self.stderr)[0]

    def requests(self) -> list[dict[str, Any]]:
        """The log lines so far; the last ones may still be in a buffer of nginx's."""
        whole = (self.state / "access.log").read_text().rpartition("\n")[0]
        return [json.loads(as_json(line)) for line in whole.splitlines()]

    def line(self, answer: httpx.Response) -> dict[str, Any]:
        """The log line of that answer, waited for."""
        name = answer.headers["X-Request-ID"]
        (line,) = until(
            lambda: [line for line in self.requests() if line["id"] == name], f"{name} is not in the log"
        )
        return line


def _text(path: Path) -> str:
    """What is in a file; nothing if it is not there."""
    return path.read_text().strip() if path.exists() else ""


def _only(parent: Path) -> Path:
    """The site's own directory in the one that was given."""
    (found,) = (path for path in parent.iterdir() if path.name != "local-ca")
    return found


@contextmanager
def served(
    files: Mapping[str, str],
    *words: str,
    env: Mapping[str, str] | None = None,
    wait: bool = True,
    directory: Path | None = None,
    port: int = 0,
    host: str = "127.0.0.1",
) -> Iterator[Served]:
    """`portico run` on an app made of these files, on a free port; everything is gone afterwards."""
    with private_directory() as made:
        home = directory or made
        write_files(home, files)
        run = start(home, *words, env=env, port=port, host=host)
        try:
            if wait:
                until_ready(run)
            yield run
        finally:
            end(run)


def start(
    home: Path,
    *words: str,
    env: Mapping[str, str] | None = None,
    port: int = 0,
    host: str = "127.0.0.1",
    python: str = sys.executable,
) -> Served:
    port = port or free_port()
    out, err = home / "stdout.txt", home / "stderr.txt"
    asked = ["run", *over(words), "--listen", f"{host}:{port}"]
    known = environment(home) | dict(env or {})
    if python == sys.executable:
        process = commands.start(asked, home, known, out, err)
    else:
        process = launch([python, "-m", "portico", *asked], cwd=home, env=known, stdout=out, stderr=err)
    return Served(process, home, port, stderr_path=err, stdout_path=out)


def over(words: Sequence[str]) -> list[str]:
    """The words of a site, over the gateway that this run is about (`make test-httpd`) in the place of nginx."""
    chosen, made = os.environ.get(GATEWAY, ""), [*words]
    if not chosen or "--gateway" in made:
        return made
    if "--nginx" in made:
        at = made.index("--nginx")
        del made[at : at + 2]
    return [*made, "--gateway", chosen]


def environment(home: Path) -> dict[str, str]:
    """What a user has: no variable that only a developer or a build machine sets."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_A_USER_S)}
    return (
        clean
        | USUAL
        | {
            "PORTICO_RUNTIME_DIR": str(home / "run"),
            "PORTICO_STATE_DIR": str(home / "state"),
            "PYTHONFAULTHANDLER": "1",
        }
    )


def until_ready(run: Served, seconds: float = PATIENCE_SECONDS) -> None:
    def is_ready() -> bool:
        is_there = "Ctrl-C stops" in run.stderr()
        assert is_there or run.process.poll() is None, f"exit code {run.process.returncode}:\n{run.stderr()}"
        return is_there

    until(is_ready, lambda: f"not ready:\n{run.stderr()}", seconds)


async def run_out(rounds: Rounds) -> None:
    """A watcher without who starts it again."""
    async for _ in rounds:
        pass


def until_there(path: Path) -> None:
    """Wait until somebody has made that file."""
    until(path.exists, f"{path} was not made")


def _wait_or_tell(run: Served) -> None:
    """Wait for one that was told to hurry. What it does instead is in the message of the error."""
    try:
        run.process.wait(60)
    except subprocess.TimeoutExpired:
        run.process.send_signal(signal.SIGABRT)  # PYTHONFAULTHANDLER: every thread's stack, on stderr
        run.process.wait(10)
        raise AssertionError(f"did not stop:\n{run.stderr()[-6000:]}") from None


def end(run: Served) -> None:
    """Stop it, and see that it leaves no process behind."""
    run.client.close()
    children = run.processes() if run.process.poll() is None else []
    if run.process.poll() is None:
        run.process.send_signal(signal.SIGTERM)
        try:
            run.process.wait(40)
        except subprocess.TimeoutExpired:
            run.process.send_signal(signal.SIGTERM)
            _wait_or_tell(run)
    _, left = psutil.wait_procs(children, 60)
    for process in left:
        process.kill()
    assert not left, f"left behind: {left}"


def portico(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, seconds: float = 150
) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return commands.run(words, cwd, environment(cwd) | dict(env or {}), seconds)
