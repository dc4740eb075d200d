"""Allows one Portico per runtime directory, and tells other processes what it runs."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from portico.decoding import Moment, Pid, decoded
from portico.errors import PorticoError, Problem
from portico.plan.model import Plan

NAME = "lock"
PATIENCE_SECONDS = 0.2
"""`running` holds the lock briefly while it looks; a start waits for that."""
UNNAMED_SECONDS = 5.0
"""The wait if no living process has written its name: the reader may be slow on a busy machine."""


class Running(Struct, frozen=True):
    """What runs in a runtime directory; `since` is in seconds since 1970."""

    pid: Pid
    app: str
    urls: tuple[str, ...]
    since: Moment
    stage: str = ""
    """The current step before it can answer: "importing shop:app"; empty once it can answer."""
    started_in: str = ""
    """The current directory of the process that started it."""


class Held:
    """A lock that we hold."""

    def __init__(self, fd: int, since: float) -> None:
        self._fd, self._since = fd, since
        self._longest = 0

    def say(self, plan: Plan, stage: str = "") -> None:
        """The record for other processes. Each write has the same length, so that readers never see a part."""
        text = json.dumps(
            asdict(Running(os.getpid(), plan.app, plan.urls, self._since, stage, _here()))
        ).encode()
        self._longest = max(self._longest, len(text))
        os.pwrite(self._fd, text.ljust(self._longest), 0)


def _here() -> str:
    """The current directory; empty if it was removed."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def site_of(runtime: str | Path) -> str:
    """The name of the site with that runtime directory: "shop" for ".../shop-4356b8"."""
    return re.sub(r"-[0-9a-f]{6}$", "", Path(runtime).name)


def running(runtime: str) -> Running | None:
    """The Portico that runs there now, None if there is none."""
    try:
        # The directory may belong to another user: follow no link, and wait for no FIFO.
        fd = os.open(_path(runtime), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode) or _try_lock(fd, fcntl.LOCK_SH):
            return None
        return _read(fd)
    finally:
        os.close(fd)


def interrupt(runtime: str, found: Running) -> None:
    """Send SIGTERM to the Portico there. Another user may be able to write the lock, and name any process in it.

    Raises PorticoError if the process does not belong to that user.
    """
    try:
        process = os.pidfd_open(found.pid)
    except ProcessLookupError:
        return
    try:
        if Path(f"/proc/{found.pid}").stat().st_uid != _path(runtime).lstat().st_uid:
            what = f"pid {found.pid}, which {_path(runtime)} names, is a process of another user"
            raise PorticoError(Problem(site_of(runtime), what, "stop it as the user who started it"))
        signal.pidfd_send_signal(process, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has exited
    finally:
        os.close(process)


@contextmanager
def held(plan: Plan, stage: str = "") -> Iterator[Held]:
    """Lock the runtime directory. Raises PorticoError if another Portico holds it."""
    path = _path(plan.runtime)
    fd = _acquire(path)
    try:
        ours = Held(fd, time.time())
        ours.say(plan, stage)
        yield ours
    finally:
        # Removed while it was held: a waiting process finds another file at the path and starts over.
        path.unlink(missing_ok=True)
        os.close(fd)


def _acquire(path: Path) -> int:
    began = time.monotonic()
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        if _try_lock(fd, fcntl.LOCK_EX) and _is_at(fd, path):
            if os.fstat(fd).st_uid == os.geteuid():
                os.ftruncate(fd, 0)
                return fd
            path.unlink()  # it belongs to another user, from an earlier run: its owner could write into it
            os.close(fd)
            continue
        other = _read(fd)
        os.close(fd)
        if time.monotonic() - began >= (PATIENCE_SECONDS if _lives(other.pid) else UNNAMED_SECONDS):
            raise PorticoError(_taken(path, other))
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    return bool(pid) and Path(f"/proc/{pid}").exists()


def _try_lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _read(fd: int) -> Running:
    try:
        running = decoded(os.pread(fd, 1 << 16, 0), Running)
        return running if running.pid > 1 else Running(0, "", (), time.time())
    except ValueError:
        # Locked, but without a record: a Portico is just starting.
        return Running(0, "", (), time.time())


def _taken(path: Path, other: Running) -> Problem:
    if not other.pid:
        return Problem(
            site_of(path.parent), "another Portico is starting this site", "wait for it: portico status"
        )
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(other.since))
    if other.stage:
        what = f"already starting: {other.stage}, pid {other.pid}, since {since}"
        return Problem(site_of(path.parent), what, "wait until it serves (portico status), or portico stop")
    url = f" at {other.urls[0]}" if other.urls else ""
    what = f"already running: {other.app}{url}, pid {other.pid}, since {since}".replace(": at", " at")
    if not other.app:  # a gateway of several sites
        return Problem(
            site_of(path.parent), what, "stop it first: portico stop\nor read its sites again: portico reload"
        )
    name = site_of(path.parent)
    stop, reload = f"portico stop --site {name}", f"portico reload --site {name}"
    return Problem(name, what, f"stop it first: {stop}\nor serve the new code without stopping: {reload}")


def _path(runtime: str) -> Path:
    return Path(runtime) / NAME
