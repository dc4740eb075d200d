"""The sockets of releases, and the live path, which rename(2) switches between them.

Portico binds and keeps every listening socket, so its backlog survives the server behind it. The live path is
a second, hard link to a release's socket: the release's own path stays valid (Gunicorn unlinks the path
it was bound to when it exits, and fails if that is gone), and a release can be asked before it is live. A
third link, `.keep`, belongs to Portico alone: the other two can be made again from it.
"""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path

from portico.errors import PorticoError, Problem
from portico.plan.model import Plan
from portico.plan.paths import canary_aliases, live_flag, socket_aliases

MODE = 0o660
"""The gateway's workers have access by group; nobody else has."""


def listen(plan: Plan, number: int) -> socket.socket:
    """Bind the release's socket and let requests queue up. Raises OSError."""
    path = Path(plan.release_socket(number))
    forget(plan, number)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        # Before listen() nobody can connect, so a wider mode does not matter for that moment.
        path.chmod(MODE)
        if plan.socket_group:
            shutil.chown(path, group=plan.socket_group)
        listener.listen(plan.backlog)
        os.link(path, _keep(path))
    except BaseException:
        listener.close()
        raise
    return listener


def restore(plan: Plan, number: int) -> None:
    """Restore the release's own path after its server removed it at its exit."""
    path = Path(plan.release_socket(number))
    if not path.exists():
        os.link(_keep(path), path)


def make_live(plan: Plan, number: int, canary: int = 0, tenths: int = 0) -> None:
    """Requests go to this release from now on, `tenths` of them to that canary.

    Atomic per path and so per request: the gateway resolves one of them at every connect.
    """
    of_the_canary = canary_aliases(plan.socket, tenths)
    drafts = {
        Path(path): _draft(
            _keep(Path(plan.release_socket(canary if path in of_the_canary else number))), path
        )
        for path, _ in socket_aliases(plan.socket)
    }  # steps that can fail come first: either all paths lead to it or none
    for live, draft in drafts.items():
        draft.replace(live)
        draft.unlink(missing_ok=True)  # rename(2) leaves it if both names were already the same socket
    Path(live_flag(plan.runtime)).touch(mode=0o644)


def _draft(socket_path: Path, live: str) -> Path:
    draft = Path(live).with_suffix(".next")
    draft.unlink(missing_ok=True)
    os.link(socket_path, draft)
    return draft


def take_down(plan: Plan) -> None:
    """Nothing serves: the gateway must find no socket, so that clients do not wait in one that nobody reads."""
    Path(live_flag(plan.runtime)).unlink(missing_ok=True)
    unlink(plan)


def unlink(plan: Plan) -> None:
    """Remove every path to a socket in this plan's rules."""
    for path, _ in socket_aliases(plan.socket):
        Path(path).unlink(missing_ok=True)


def hang_up(listener: socket.socket) -> None:
    """Close the connections that wait at a socket that no server reads any more: the gateway answers them at once."""
    listener.setblocking(False)  # also for the server that is started at it later: each sets this itself
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()


def forget(plan: Plan, number: int) -> None:
    path = Path(plan.release_socket(number))
    path.unlink(missing_ok=True)
    _keep(path).unlink(missing_ok=True)


def refuse_taken(plan: Plan) -> None:
    """Raises PorticoError if another server answers at the socket that the user has named for a gateway elsewhere."""
    if plan.has_gateway:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asks, suppress(OSError):
        asks.setblocking(False)  # a full queue is somebody's, too, and says so: BlockingIOError
        with suppress(BlockingIOError):
            asks.connect(plan.socket)
        what = "another server answers there"
        raise PorticoError(Problem(plan.socket, what, "stop it, or give this site a node.socket of its own"))


def sweep(plan: Plan) -> None:
    """Remove the sockets of an earlier Portico that could not do so."""
    for path in {*Path(plan.runtime).glob("app*.sock*"), *Path(plan.sockets).glob("app*.sock*")}:
        path.unlink(missing_ok=True)


def _keep(path: Path) -> Path:
    return path.with_name(f"{path.name}.keep")
