"""What the workers tell (`link.report`): which code they have, that one could not load the app, how large they are.

The code of a release is what its first worker had. A worker that comes up with other code was started after somebody
changed the files in place; so was one that is started after a rollback to a release whose files are gone.
"""

from __future__ import annotations

import os
import stat
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from portico import reading
from portico.place import foreign
from portico.plan.model import Plan
from portico.plan.paths import workers
from portico.run import news
from portico.run.background import in_background
from portico.run.news import News
from portico.run.running import Running, SayNews
from portico.turns import WELL, Rounds, turn

_LOOK_SECONDS = 1.0
_LARGEST = 16 << 20
"""Bytes of a source file that is compared."""


class _Told(msgspec.Struct):
    """As `link.report` writes it."""

    code: dict[str, int] = {}
    memory: int = 0
    limit: int = 0
    error: str = ""


class Workers:
    """Looked at once a second; `said` are the news of it, each said once."""

    def __init__(self, world: Running, say: SayNews) -> None:
        self._world, self._say = world, say
        self._code: dict[int, dict[str, int]] = {}
        self._read: dict[str, tuple[float, _Told]] = {}
        self._said: set[tuple[object, ...]] = set()

    async def watch(self) -> Rounds:
        """One look a round."""
        while True:
            plans, pids = dict(self._world.plans), self._world.pids()
            for item in await in_background(lambda: self._look(plans, pids)):  # noqa: B023  awaited in this turn
                self._say(item)
            yield WELL
            await turn(_LOOK_SECONDS)

    def status(self, number: int, server: int | None) -> dict[str, Any]:
        """Of that generation, whose first process is `server`."""
        found = self._of(server)
        pids, names = self._others(number, found)
        failed = self._read.get(f"{server}-failed.json")
        return {
            "cannot_load": failed[1].error if failed else "",
            "other_code": {"pids": pids, "files": names},
            "memory_limit": max((told.limit for told in found.values()), default=0),
        }

    def changed_on_disk(self, number: int) -> tuple[str, ...]:
        """The source files of that generation that are not on the disk any more as its first worker had them."""
        plan, code = self._world.plans.get(number), self._code.get(number)
        if plan is None or not code:
            return ()
        try:
            return reading.as_user(plan.server.user, lambda: _changed(Path(plan.server.cwd), code))
        except OSError:
            return ()

    def _look(self, plans: dict[int, Plan], pids: dict[int, int]) -> list[News]:
        for plan in plans.values():
            self._read_all(Path(workers(plan.runtime)))
        self._code = {number: code for number, code in self._code.items() if number in plans}
        found = [item for number in plans for item in self._of_release(number, pids.get(number))]
        new = [(key, item) for key, item in found if key not in self._said]
        self._said = {key for key, _ in found}
        return [item for _, item in new]

    def _of_release(self, number: int, server: int | None) -> list[tuple[tuple[object, ...], News]]:
        found = self._of(server)
        if number not in self._code and found:
            self._code[number] = min(found.items(), key=lambda one: self._read[one[0]][0])[1].code
        told = self.status(number, server)
        made: list[tuple[tuple[object, ...], News]] = []
        if error := told["cannot_load"]:
            made.append(((number, error), news.CannotLoad(number, error)))
        if names := told["other_code"]["files"]:
            pids = tuple(told["other_code"]["pids"])
            made.append(((number, *names), news.OtherCode(number, tuple(names), pids)))
        if limit := told["memory_limit"]:
            memory = max(told.memory for told in found.values() if told.limit)
            configured = int(float(self._world.plans[number].server.env["PORTICO_MAX_MEMORY"]))
            made.append(((number, "memory"), news.LargeWorker(memory, configured, limit)))
        return made

    def _of(self, server: int | None) -> dict[str, _Told]:
        start, failed = f"{server}-", f"{server}-failed.json"
        return {
            name: told for name, (_, told) in self._read.items() if name.startswith(start) and name != failed
        }

    def _others(self, number: int, found: dict[str, _Told]) -> tuple[list[int], list[str]]:
        code, pids, names = self._code.get(number, {}), list[int](), set[str]()
        for name, told in found.items():
            if changed := {file for file in told.code.keys() & code.keys() if told.code[file] != code[file]}:
                pids.append(int(name.removesuffix(".json").partition("-")[2]))
                names |= changed
        return sorted(pids), sorted(names)

    def _read_all(self, directory: Path) -> None:
        """What is new of the files; those of processes that are gone go."""
        known, self._read = self._read, {}
        for path in directory.glob("*.json"):
            with suppress(OSError, ValueError, msgspec.MsgspecError):
                if not all(_lives(part) for part in path.stem.removesuffix("-failed").split("-")):
                    path.unlink(missing_ok=True)
                    continue
                written = path.stat().st_mtime
                before = known.get(path.name)
                if before and before[0] == written:
                    self._read[path.name] = before
                else:
                    self._read[path.name] = written, msgspec.json.decode(foreign.text(path), type=_Told)


def _lives(pid: str) -> bool:
    return pid.isdecimal() and Path("/proc", pid).exists()


def _changed(directory: Path, code: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted(name for name, sum_ in code.items() if _checksum(directory / name) != sum_))


def _checksum(path: Path) -> int | None:
    """None for what is no ordinary file."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(number, "rb") as file:
        return zlib.crc32(file.read(_LARGEST)) if stat.S_ISREG(os.fstat(number).st_mode) else None
