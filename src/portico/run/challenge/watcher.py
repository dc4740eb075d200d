"""Runs the challenge: a new puzzle every half minute, a flag file during pressure, and key rotation."""

from __future__ import annotations

import asyncio
import math
import shutil
import time
from pathlib import Path
from typing import Protocol

from portico import atomic
from portico.link import private_socket
from portico.plan.model import Plan
from portico.plan.subjects import PlannedChallenge
from portico.protocol import notices
from portico.run.background import in_background
from portico.run.challenge import keys as key_file
from portico.run.challenge import puzzle
from portico.run.challenge.endpoint import Endpoint
from portico.run.challenge.keys import Keys
from portico.run.challenge.pressure import Busy, Pressure
from portico.run.processes import proc
from portico.run.running import Running, SayNews
from portico.run.sockets import drain
from portico.run.watchers import crowd
from portico.ticks import WELL, Rounds, tick

_LOOK_SECONDS = 0.5
_BACKLOG = 256


class ReadsKeys(Running, Protocol):
    """Lets the gateway load other keys."""

    def put_challenge(self) -> None:
        """Let the gateway read the keys again. Raises OSError."""


class Challenges:
    """The challenge of one site. A plan without one only costs a look at it."""

    def __init__(self, running: ReadsKeys, say: SayNews) -> None:
        self._running, self._say = running, say
        self._keys: Keys | None = None
        self._pressure, self._busy = Pressure(), Busy()
        self._server: asyncio.Server | None = None
        self._directory = self._socket = ""
        self._seed = ""
        self._since = 0.0

    async def watch(self) -> Rounds:
        """One look per round."""
        try:
            while True:
                plan = self._running.in_force
                if plan.guards.challenge is None:
                    await self._end()
                else:
                    await self._look(plan, plan.guards.challenge)
                yield WELL
                await tick(_LOOK_SECONDS)
        finally:
            await self._end()

    async def _look(self, plan: Plan, found: PlannedChallenge) -> None:
        pids, before = self._running.pids(), self._keys
        keys, is_pressed = await in_background(lambda: self._seen(plan, found, pids))
        self._keys = keys
        if before is not None and keys.current != before.current:
            self._running.put_challenge()
        if self._server is None:
            self._server, self._socket = await self._listen(found.socket, plan.socket_group), found.socket
        self._set(found, is_pressed=is_pressed)

    def _seen(self, plan: Plan, found: PlannedChallenge, pids: dict[int, int]) -> tuple[Keys, bool]:
        """Update the keys and the puzzle, and measure whether the app is under pressure."""
        keys = key_file.kept(found.keys, time.time())
        self._write_seed(found, keys)
        return keys, not found.is_always and self._is_pressed(plan, found, pids)

    def _write_seed(self, found: PlannedChallenge, keys: Keys) -> None:
        fresh = puzzle.seed(keys, time.time())
        path = Path(found.directory) / "seed"
        if fresh != self._seed or not path.exists():
            atomic.write(path, fresh.encode(), 0o644)
            self._seed = fresh

    def _is_pressed(self, plan: Plan, found: PlannedChallenge, pids: dict[int, int]) -> bool:
        sockets = frozenset(plan.release_socket(number) for number in pids if number)
        waiting = drain.requests(sockets, drain.QUEUED) >= max(1, plan.workers * plan.threads)
        now = time.monotonic()
        if found.says_crowd:  # otherwise only the kernel knows
            return self._busy.look(now, 0.0, math.inf, waiting=waiting) or crowd.is_crowded(plan)
        workers = [one.pid for number, pid in pids.items() if number for one in proc.forked_by(pid)]
        room = max(0.1, min(len(workers), found.cpus or len(workers)))
        return self._busy.look(now, sum(map(proc.cpu_seconds, workers)), room, waiting=waiting)

    def _set(self, found: PlannedChallenge, *, is_pressed: bool) -> None:
        now, flag = time.monotonic(), Path(found.directory) / "on"
        was_on = self._pressure.is_on
        is_on = self._pressure.look(now, is_pressed=is_pressed)
        if self._directory != found.directory:
            self._directory = found.directory
            flag.unlink(missing_ok=True)  # from an earlier run
        if is_on and not flag.exists():
            atomic.write(flag, b"", 0o644)
        elif not is_on:
            flag.unlink(missing_ok=True)
        if is_on != was_on:
            self._since = now if is_on else self._since
            self._say(notices.PassesAsked() if is_on else notices.PassesNotAsked(round(now - self._since)))

    async def _listen(self, path: str, group: str) -> asyncio.Server:
        """Makes it readable for the gateway's workers, by group."""
        listener = private_socket.bind(path)
        if group:
            shutil.chown(path, group=group)
        Path(path).chmod(0o660)
        return await asyncio.start_unix_server(
            Endpoint(self._find).answer, sock=listener, limit=1 << 13, backlog=_BACKLOG
        )

    def _find(self) -> tuple[PlannedChallenge, Keys] | None:
        found = self._running.in_force.guards.challenge
        return (found, self._keys) if found and self._keys else None

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            Path(self._socket).unlink(missing_ok=True)
        if self._directory:
            for name in ("on", "seed"):
                (Path(self._directory) / name).unlink(missing_ok=True)
            self._directory = self._seed = ""
        self._pressure, self._busy = Pressure(), Busy()
