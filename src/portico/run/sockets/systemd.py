"""The interface to systemd: sd_notify(3), the watchdog, and inherited sockets (sd_listen_fds(3)).

Without systemd it does nothing. The whole protocol is a datagram and three variables, less than any library
for it; the variables are removed from the environment, because Gunicorn and uWSGI would react to them as well.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import time
from collections.abc import MutableMapping, Sequence
from typing import NamedTuple

from portico.errors import Problem
from portico.protocol import notices
from portico.protocol.notices import Notice
from portico.ticks import WELL, Rounds

FIRST_FD = 3
"""SD_LISTEN_FDS_START."""
_ABOVE_FD = 10
"""Our children have their own socket at 3: our descriptors are above."""
TELL_SECONDS = 1.0
"""The manager's queue holds megabytes; if it is full, serving waits for it no longer than this."""
_VARIABLES = (
    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID",
    "FDSTORE",
)  # fmt: skip


class Stored(NamedTuple):
    """An inherited socket, and the manager's name for it."""

    name: str
    socket: socket.socket | None
    """None if the descriptor is no socket; it is closed then."""


class Service:
    """This process as a systemd service; `notify` is empty if it is none."""

    def __init__(self, notify: str, watchdog_seconds: float, taken: Sequence[Stored]) -> None:
        self.taken = tuple(taken)
        self._notify, self._watchdog_seconds = notify, watchdog_seconds
        self._is_ready = False

    @classmethod
    def take(cls, environment: MutableMapping[str, str]) -> Service:
        """Read the manager's variables and remove them from the environment."""
        variables = {name: environment.pop(name, "") for name in _VARIABLES}
        is_watched = (
            variables["WATCHDOG_PID"] in ("", str(os.getpid())) and variables["WATCHDOG_USEC"].isdigit()
        )
        seconds = int(variables["WATCHDOG_USEC"]) / 1e6 if is_watched else 0.0
        is_ours = variables["LISTEN_PID"] == str(os.getpid()) and variables["LISTEN_FDS"].isdigit()
        count = int(variables["LISTEN_FDS"]) if is_ours else 0
        return cls(variables["NOTIFY_SOCKET"], seconds, _taken(count, variables["LISTEN_FDNAMES"].split(":")))

    def hear(self, item: Notice) -> None:
        """Send a notice to the manager in its own terms.

        A gateway may reload its nginx before each of its sites was tried: it reports a reload only after it was
        ready.
        """
        self._is_ready = self._is_ready or isinstance(item, notices.Ready)
        match item:
            case (
                notices.Ready() | notices.Switched() | notices.CanaryServes() | notices.ReleaseDropped()
                | notices.RolledBack() | notices.TookOver() | notices.CanaryLeft()
            ) if self._is_ready:  # fmt: skip
                self.tell("READY=1", f"STATUS={_status(item)}")
            case notices.Reloading() if self._is_ready:
                self.tell(
                    "RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", f"STATUS={_status(item)}"
                )
            case notices.Stopping():
                self.tell("STOPPING=1", f"STATUS={_status(item)}")
            case notices.Starting() | notices.Restarting() | notices.Recovered():
                self.tell(f"STATUS={_status(item)}")

    @property
    def keeps(self) -> bool:
        """Whether the manager may keep copies of our sockets."""
        return bool(self._notify or self.taken)

    def give_up(self, why: str) -> list[Problem]:
        """Close the sockets that were handed over, and report each."""
        given, self.taken = self.taken, ()
        for stored in given:
            if stored.socket:
                stored.socket.close()
        return [
            Problem("", f"systemd handed over a socket ({stored.name}), which was closed: {why}")
            for stored in given
        ]

    def store(self, name: str, listener: socket.socket) -> None:
        """Let the manager keep a copy, which the next start inherits (FileDescriptorStoreMax=)."""
        self.tell("FDSTORE=1", f"FDNAME={name}", fds=(listener.fileno(),))

    def forget(self, name: str) -> None:
        """The copies with that name are no longer needed."""
        self.tell("FDSTOREREMOVE=1", f"FDNAME={name}")

    async def keep_alive(self) -> Rounds:
        """Send the watchdog signal at half its interval, from the loop: if the loop hangs, systemd ends and
        restarts us.
        """
        while self._notify and self._watchdog_seconds:
            self.tell("WATCHDOG=1")
            yield WELL
            await asyncio.sleep(self._watchdog_seconds / 2)

    def tell(self, *lines: str, fds: Sequence[int] = ()) -> None:
        """Send one message; an unreachable manager does not stop the serving."""
        if not self._notify:
            return
        address = f"\0{self._notify[1:]}" if self._notify.startswith("@") else self._notify
        message = "\n".join(lines).encode("utf-8", "backslashreplace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.settimeout(TELL_SECONDS)
                manager.connect(address)
                socket.send_fds(manager, [message], list(fds))
        except OSError:
            pass


def _taken(count: int, names: list[str]) -> list[Stored]:
    names += ["unknown"] * (count - len(names))
    return [
        Stored(name, _moved(fd)) for fd, name in zip(range(FIRST_FD, FIRST_FD + count), names, strict=False)
    ]


def _moved(fd: int) -> socket.socket | None:
    """The same socket under another number, which no child inherits by accident."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_FD)
    os.close(fd)
    try:
        return socket.socket(fileno=moved)
    except OSError:
        os.close(moved)
        return None


def _status(item: Notice) -> str:  # noqa: C901  a table, one row a kind of notice
    """One line for `systemctl status`."""
    match item:
        case notices.Ready(took_seconds):
            return f"serving, ready after {took_seconds:.2f} s"
        case notices.Switched(number):
            return f"serving release {number}"
        case notices.CanaryServes(number):
            return f"serving, release {number} gets a part of the requests"
        case notices.ReleaseDropped(number, _, problems):
            why = f": {problems[0].what}" if problems else ""
            return f"release {number} was dropped, the previous one keeps serving{why}".replace("\n", " ")
        case notices.RolledBack(number) | notices.TookOver(number):
            return f"serving release {number} again"
        case notices.CanaryLeft(number):
            return f"serving, release {number} gets no more requests"
        case notices.Reloading():
            return "starting a new release beside the live one"
        case notices.Stopping(up_to_seconds):
            return f"finishing what is in progress, at most {up_to_seconds:.0f} s"
        case notices.Restarting(name):
            return f"{name} ended and is being restarted"
        case notices.Recovered(name):
            return f"serving, {name} is back"
        case _:
            return "starting"
