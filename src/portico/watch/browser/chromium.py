"""A headless Chromium of our own, and its DevTools protocol.

The page is not trusted: an app that was broken into may have written it. So the browser keeps its sandbox, has a new
profile in a private directory, reaches no address but the site's, and as root runs under a user ID that nobody else
has. It is driven over a pipe: at a port every user of this machine could drive it.
https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import resource
import secrets
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import psutil
from msgspec import Struct

from portico.errors import PorticoError, Problem

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
_FLAGS = (
    "--headless", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions",
    "--disable-breakpad", "--disable-dev-shm-usage", "--disable-gpu", "--mute-audio", "--password-store=basic",
    # Names are looked up by the rules below alone: by no proxy, and not around them.
    "--no-proxy-server", "--disable-quic", "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--window-size=1350,940", f"--disk-cache-size={32 << 20}",
)  # fmt: skip
_AS_PIPES = 'exec 3<&0 4>&1 </dev/null >/dev/null; exec "$@"'
"""The browser reads its commands from descriptor 3, and writes to 4."""
_UNUSED = range(61_184, 65_520)
"""User IDs that systemd gives to services for a while, too: no package has one of them."""
_START_SECONDS, _END_SECONDS = 60.0, 5.0
_SHARED = "/tmp"  # noqa: S108  mkdtemp makes a new directory there, closed to others
_PIECE = 1 << 16
_MOST_MESSAGE = 64 << 20
_MOST_REQUESTS, _MOST_TOLD = 5_000, 64 << 20
"""What a page may fetch, and how many bytes the browser may tell of it: a hostile one fetches without end."""
_MOST_FILE = 256 << 20
_KILLS, _KILL_SECONDS = 20, 0.1
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAID_LINES = 3
_PR_SET_PDEATHSIG, _prctl = 1, ctypes.CDLL(None).prctl
Params = dict[str, Any]

_SENT, _DIALOG = "Network.requestWillBeSent", "Page.javascriptDialogOpening"
_ANSWER = dict.fromkeys(("status", "headers", "timing", "encodedDataLength"))
_OF_REQUEST = dict.fromkeys(("requestId", "timestamp"))
_KEPT: Params = {
    "Page.lifecycleEvent": dict.fromkeys(("name", "frameId")),
    _SENT: _OF_REQUEST | {"type": None, "request": {"url": None}, "redirectResponse": _ANSWER},
    "Network.responseReceived": _OF_REQUEST | {"response": _ANSWER},
    "Network.dataReceived": _OF_REQUEST | {"dataLength": None},
    "Network.loadingFinished": _OF_REQUEST | {"encodedDataLength": None},
    "Network.loadingFailed": _OF_REQUEST | {"errorText": None},
}
"""The events that are kept, and what of them; None: the whole value."""


class Event(Struct, frozen=True):
    """An event of the page."""

    method: str
    params: Params


class Chromium:
    """A running browser. Every call raises PorticoError if it has ended, and TimeoutError when the time is over."""

    def __init__(self, commands: int, answers: int, said: BinaryIO) -> None:
        self._commands, self._answers, self._said = commands, answers, said
        self._buffer = bytearray()
        self._last = 0
        self._session = ""
        self._requests = self._told = 0
        self.events: list[Event] = []

    def call(self, method: str, ends: float, **params: Any) -> Params:
        """The result of a command. Raises ValueError for one that the browser refuses."""
        number = self._command(method, params)
        while True:
            answer = self._next(ends)
            if answer is None:
                raise TimeoutError(method)
            if answer.get("id") == number:
                if "error" in answer:
                    raise ValueError(str(answer["error"].get("message", "")))
                result: Params = answer.get("result", {})
                return result

    def attach(self, ends: float) -> None:
        """To a new page: calls are about it from now on."""
        target = self.call("Target.createTarget", ends, url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", ends, targetId=target, flatten=True)["sessionId"]

    def wait(self, matches: Callable[[Event], bool], ends: float) -> bool:
        """Collects events until there is such a one; False if the time is over before."""
        seen = 0
        while not any(map(matches, self.events[seen:])):
            seen = len(self.events)
            if self._next(ends) is None:
                return False
        return True

    def _command(self, method: str, params: Params) -> int:
        """Sends one. The answer to it has the same number."""
        self._last += 1
        message: Params = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        try:
            os.write(self._commands, json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise self._ended() from None
        return self._last

    def _next(self, ends: float) -> Params | None:
        """The next message, whose event is kept; None when the time is over, even if there is more to read."""
        while True:
            if time.monotonic() >= ends:
                return None
            if (end := self._buffer.find(0)) >= 0:
                break
            if not select.select([self._answers], [], [], max(0.0, ends - time.monotonic()))[0]:
                return None
            piece = os.read(self._answers, _PIECE)
            if not piece or len(self._buffer) > _MOST_MESSAGE:
                raise self._ended()
            self._buffer += piece
        message: Params = json.loads(self._buffer[:end])
        del self._buffer[: end + 1]
        if "method" in message:
            self._keep(message["method"], message.get("params", {}), end)
        return message

    def _keep(self, method: str, params: Params, size: int) -> None:
        self._told += size
        self._requests += method == _SENT
        if self._requests > _MOST_REQUESTS or self._told > _MOST_TOLD:
            is_many = self._requests > _MOST_REQUESTS
            much = f"{_MOST_REQUESTS} requests" if is_many else f"{_MOST_TOLD >> 20} MiB of events"
            what = f"the page fetches without end: more than {much}"
            hint = "look for a script that asks again and again; a smaller --max-time ends the visit before"
            raise PorticoError(Problem("--browser", what, hint))
        if method == _DIALOG:  # the page waits for an answer
            self._command("Page.handleJavaScriptDialog", {"accept": False})
        elif method in _KEPT:
            self.events.append(Event(method, _part(params, _KEPT[method])))

    def _ended(self) -> PorticoError:
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - _PIECE))
        words = [line for line in self._said.read().decode(errors="replace").splitlines() if line.strip()]
        quote = "\n".join(words[-_SAID_LINES:])
        hint = ""
        if "sandbox" in quote.lower():
            hint = (
                "it runs only with its sandbox, which needs user namespaces (sysctl user.max_user_namespaces, "
                "kernel.apparmor_restrict_unprivileged_userns) or the package chromium-sandbox"
            )
        return PorticoError(Problem("--browser", "the browser ended", hint, quote=quote))


def _part(value: Params, wanted: Params) -> Params:
    """Only the fields that are wanted, as far as there are such."""
    return {
        name: value[name] if inner is None else _part(value[name], inner)
        for name, inner in wanted.items()
        if name in value
    }


@contextmanager
def running(reached: list[str]) -> Iterator[Chromium]:
    """A browser that reaches these addresses alone, each `HOST:PORT` or `HOST:PORT ADDRESS:PORT`."""
    program = _program()
    whose = _nobody() if os.geteuid() == 0 else None
    # Its messages go to a file without a name: the browser cannot put another in its place.
    with tempfile.TemporaryFile() as said, _ended_by_signals():
        # Root's own temporary directory may be closed to others.
        home = Path(tempfile.mkdtemp(prefix="portico-browser-", dir=None if whose is None else _SHARED))
        pipes = [*os.pipe(), *os.pipe()]
        read, commands, answers, write = pipes
        process = None
        try:
            if whose is not None:
                os.chown(home, whose, whose)
            process = subprocess.Popen(
                _argv(program, home, reached), stdin=read, stdout=write, stderr=said, cwd=home, start_new_session=True,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "TMPDIR": str(home)},
                user=whose, group=whose, extra_groups=None if whose is None else [],
                preexec_fn=partial(_bind, os.getpid()),  # no other thread runs, so it is safe
            )  # fmt: skip
            for number in (read, write):
                pipes.remove(number)
                os.close(number)
            yield Chromium(commands, answers, said)
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # until everything is cleared away
            for number in pipes:
                os.close(number)
            if process is not None:
                _end(process, whose)
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM, and a terminal that is closed, end the block as Ctrl-C does: its `finally` runs, and nothing stops it.

    A signal that is ignored stays so: nohup.
    """

    def end(number: int, _frame: object) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        raise SystemExit(128 + number)

    heard = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        for one in heard:
            signal.signal(one, end)
        yield
    finally:
        for one in heard:
            signal.signal(one, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _bind(parent: int) -> None:
    """Runs in the child, as its new user: it ends with Portico, and writes no file that fills a disk."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)
    with suppress(ValueError):  # the limit is lower already
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_FILE, _MOST_FILE))


def _argv(program: str, home: Path, reached: list[str]) -> list[str]:
    rules = [f"MAP {one}" if " " in one else f"MAP {one} {one}" for one in reached]
    return [
        *("/bin/sh", "-c", _AS_PIPES, "sh", program, *_FLAGS, f"--user-data-dir={home / 'profile'}"),
        f"--host-resolver-rules={', '.join([*rules, 'MAP * ~NOTFOUND'])}",
        "about:blank",
    ]


def start_seconds() -> float:
    """When a browser must have started: the moment of time.monotonic."""
    return time.monotonic() + _START_SECONDS


def _program() -> str:
    found = next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        hint = "install one: apt install chromium, dnf install chromium, apk add chromium"
        raise PorticoError(Problem("--browser", "no Chromium or Chrome is installed", hint))
    return found


def _nobody() -> int:
    """A user ID without a name, and without a process."""
    used = set[int]()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            used.add(process.uids().real)
    while True:
        number = secrets.choice(_UNUSED)
        if number in used:
            continue
        try:
            pwd.getpwuid(number)
        except KeyError:
            return number


def _end(process: subprocess.Popen[bytes], whose: int | None) -> None:
    """Its pipes are closed, so it ends by itself; whoever is left of its session, or of its user, is killed."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(_KILLS if whose is not None else 0):  # one may start another meanwhile
        if not (left := _processes_of(whose)):
            break
        for other in left:
            with suppress(psutil.Error):
                other.kill()
        psutil.wait_procs(left, _KILL_SECONDS)


def _processes_of(user: int | None) -> list[psutil.Process]:
    """Those that are not dead yet."""
    found = list[psutil.Process]()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == user and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
