"""One Portico for a runtime directory, and how others learn what it runs."""

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
from dataclasses import asdict, dataclass
from pathlib import Path

from portico.decoding import Moment, Pid, decoded
from portico.errors import PorticoError, Problem
from portico.plan.model import Plan

NAME = "lock"
PATIENCE_SECONDS = 0.2
"""`running` holds the lock for a moment while it looks; a start waits that out."""
UNNAMED_SECONDS = 5.0
"""The same where no living process has written its name: the reader may be held up by a busy machine."""


@dataclass(frozen=True)
class Running:
    """What runs in a runtime directory; `since` is in seconds since 1970."""

    pid: Pid
    app: str
    urls: tuple[str, ...]
    since: Moment
    stage: str = ""
    """What it does before it can be asked: "importing shop:app"; empty when it can."""
    started_in: str = ""
    """The current directory of who started it."""


class Held:
    """The lock while we have it."""

    def __init__(self, fd: int, since: float) -> None:
        self._fd, self._since = fd, since
        self._longest = 0

    def say(self, plan: Plan, stage: str = "") -> None:
        """What others read about us. One write, as long as the one before: they never see half of it."""
        text = json.dumps(
            asdict(Running(os.getpid(), plan.app, plan.urls, self._since, stage, _here()))
        ).encode()
        self._longest = max(self._longest, len(text))
        os.pwrite(self._fd, text.ljust(self._longest), 0)


def _here() -> str:
    """The current directory; empty when it is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def site_of(runtime: str | Path) -> str:
    """The name of the site whose runtime directory that is, as people know it: "shop" of ".../shop-4356b8"."""
    return re.sub(r"-[0-9a-f]{6}$", "", Path(runtime).name)


def running(runtime: str) -> Running | None:
    """What Portico runs there now, None when nothing does."""
    try:
        # The directory may be another user's: no link is followed, and no FIFO waited for.
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
    """Send SIGTERM to what runs there. The lock may be written by another user, who can name any process in it.

    Raises PorticoError when the process is not that user's.
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
        pass  # it has left meanwhile
    finally:
        os.close(process)


@contextmanager
def held(plan: Plan, stage: str = "") -> Iterator[Held]:
    """Hold the runtime directory. Raises PorticoError when another Portico does."""
    path = _path(plan.runtime)
    fd = _acquire(path)
    try:
        ours = Held(fd, time.time())
        ours.say(plan, stage)
        yield ours
    finally:
        # Removed while held: a waiting process finds another file at the path and starts over.
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
            path.unlink()  # another user's, left by an earlier run: its owner could write into it
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
        # Held, but not written yet: a Portico is starting at this moment.
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
