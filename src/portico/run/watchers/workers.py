"""Reads the workers' reports (`link.report`): which code they run, that one could not load the app, their memory.

A release's code is that of its first worker. A worker with other code was started after a change of
the files in place, or after a rollback to a release whose files are gone.
"""

from __future__ import annotations

import os
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec.structs import replace

from portico import reading
from portico.decoding import Count, decoded
from portico.place import untrusted
from portico.plan.model import Plan
from portico.plan.paths import workers
from portico.protocol import notices
from portico.protocol.notices import Notice
from portico.protocol.status import OtherCode, ReleaseStatus
from portico.run.background import in_background
from portico.run.running import Running, SayNews
from portico.ticks import WELL, Rounds, tick

_LOOK_SECONDS = 1.0
_LARGEST, _MOST_BYTES = 16 << 20, 256 << 20
"""The bytes of a compared source file, and of all of them."""
_NAME = re.compile(r"(?P<server>[1-9][0-9]{0,9})-(?P<worker>[1-9][0-9]{0,9}|failed)\.json")
_MOST_FILES, _MOST_SOURCES, _LONGEST_NAME, _LONGEST_ERROR = 10_000, 5_000, 4_096, 500
"""The app's user writes there; a worker stays below the limit."""
_LONGEST, _MOST_TOLD = 1 << 21, 1 << 26
"""The bytes of one file, and of all that are kept in memory."""


class _Told(msgspec.Struct):
    """The report that `link.report` writes."""

    code: Annotated[
        dict[Annotated[str, msgspec.Meta(max_length=_LONGEST_NAME)], Count],
        msgspec.Meta(max_length=_MOST_SOURCES),
    ] = {}
    memory: Count = 0
    limit: Count = 0
    error: Annotated[str, msgspec.Meta(max_length=_LONGEST_ERROR)] = ""


class Workers:
    """Runs once a second; `said` are its notices, each sent once."""

    def __init__(self, running: Running, say: SayNews) -> None:
        self._running, self._say = running, say
        self._code: dict[int, dict[str, int]] = {}
        self._read: dict[str, tuple[os.stat_result, _Told]] = {}
        self._said: set[tuple[object, ...]] = set()

    async def watch(self) -> Rounds:
        """One look per round."""
        while True:
            plans, pids = dict(self._running.plans), self._running.pids()
            for item in await in_background(lambda: self._look(plans, pids)):  # noqa: B023  awaited in this turn
                self._say(item)
            yield WELL
            await tick(_LOOK_SECONDS)

    def status(self, release: ReleaseStatus) -> ReleaseStatus:
        """Adds the workers' own reports."""
        number, found = release.number, self._of(release.pid)
        pids, names = self._others(number, found)
        failed = self._read.get(f"{release.pid}-failed.json")
        limit = max((told.limit for told in found.values()), default=0)
        return replace(
            release,
            cannot_load=failed[1].error if failed else "",
            other_code=OtherCode(tuple(pids), tuple(names)),
            memory_limit=limit if self._max_memory(number) else 0,
        )

    def changed_on_disk(self, number: int) -> tuple[str, ...]:
        """The source files of that release that have changed on disk since its first worker loaded them."""
        plan, code = self._running.plans.get(number), self._code.get(number)
        if plan is None or not code:
            return ()
        try:
            return reading.as_user(plan.server.user, lambda: _changed(Path(plan.server.cwd), code))
        except OSError:
            return ()

    def _max_memory(self, number: int) -> int:
        """The configured number for the workers of that release; 0 for none."""
        plan = self._running.plans.get(number)
        return int(float(plan.server.env.get("PORTICO_MAX_MEMORY", 0))) if plan else 0

    def _look(self, plans: dict[int, Plan], pids: dict[int, int]) -> list[Notice]:
        servers, read = {str(pid) for pid in pids.values()}, dict[str, tuple[os.stat_result, _Told]]()
        for directory in {workers(plan.runtime) for plan in plans.values()}:
            read |= self._read_all(directory, servers)
        self._read = read  # at once: `status` may look meanwhile
        self._code = {number: code for number, code in self._code.items() if number in plans}
        found = [item for number in plans for item in self._of_release(number, pids.get(number))]
        new = [(key, item) for key, item in found if key not in self._said]
        self._said = {key for key, _ in found}
        return [item for _, item in new]

    def _of_release(self, number: int, server: int | None) -> list[tuple[tuple[object, ...], Notice]]:
        found = self._of(server)
        if number not in self._code and found:
            self._code[number] = min(found.items(), key=lambda one: self._read[one[0]][0].st_mtime)[1].code
        status = self.status(ReleaseStatus(number, "", server))
        made: list[tuple[tuple[object, ...], Notice]] = []
        if error := status.cannot_load:
            made.append(((number, error), notices.CannotLoad(number, error)))
        if names := status.other_code.files:
            made.append(((number, *names), notices.OtherCode(number, names, status.other_code.pids)))
        if limit := status.memory_limit:
            memory = max(one.memory for one in found.values() if one.limit)
            made.append(((number, "memory"), notices.LargeWorker(memory, self._max_memory(number), limit)))
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

    def _read_all(self, directory: str, servers: set[str]) -> dict[str, tuple[os.stat_result, _Told]]:
        """The files of these servers, each read when it is new; those of exited processes are removed."""
        known, size = dict[str, tuple[os.stat_result, _Told]](), 0
        for path, found in untrusted.files(directory, _MOST_FILES):
            match = _NAME.fullmatch(path.name)
            if match is None:
                continue
            with suppress(OSError, ValueError):
                if not all(_lives(pid) for pid in match.groups() if pid != "failed"):
                    path.unlink(missing_ok=True)
                    continue
                if match["server"] not in servers or size > _MOST_TOLD:
                    continue
                before = self._read.get(path.name)
                if before and _version(before[0]) == _version(found):
                    size += found.st_size
                    known[path.name] = before
                else:
                    text = untrusted.content(path, _LONGEST)
                    size += len(text)
                    known[path.name] = found, decoded(text, _Told)
        return known


def _version(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_mtime_ns, found.st_size


def _lives(pid: str) -> bool:
    return Path("/proc", pid).exists()


def _changed(directory: Path, code: dict[str, int]) -> tuple[str, ...]:
    found, size = list[str](), 0
    for name, sum_ in code.items():
        content = _content(directory / name)
        size += len(content or b"")
        if size > _MOST_BYTES:
            break  # no app has so much code
        if content is None or zlib.crc32(content) != sum_:
            found.append(name)
    return tuple(sorted(found))


def _content(path: Path) -> bytes | None:
    """None if it is not a regular file."""
    try:
        with open(path, "rb", opener=untrusted.unblocked) as file:
            return file.read(_LARGEST)
    except (OSError, ValueError):  # a name with a zero byte
        return None
