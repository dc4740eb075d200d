"""Rotates the log files before they fill the disk: access.log becomes access.log.1, and no line is lost.

A file is renamed, then the gateway is told to reopen its logs (SIGUSR1). Until then its workers write to the renamed
file; before they switch, they flush their buffers to it. The app's workers check the name at each line.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from portico.place.untrusted import opened
from portico.plan.model import Plan
from portico.plan.subjects import Logs
from portico.ticks import Round, Rounds, tick

LOOK_SECONDS = 5.0
SOON_SECONDS = 1.0
"""The interval after a rotation: in an overload the gateway writes some 1300 bytes per refused request."""
_MOST = 2
"""Files that grow quickly between looks exceed their size, but all together by no more than this."""


async def watch(
    in_force: Callable[[], Plan], reopen: Callable[[], None], before: Callable[[], Awaitable[None]]
) -> Rounds:
    """Look every few seconds; `before` is awaited and `reopen` called around each rotation. Never returns.

    A file that cannot be rotated is tried again at the next look, and does not delay the others.
    """
    due = list[Path]()
    while True:
        await tick(SOON_SECONDS if due else LOOK_SECONDS)
        plan, wrong = in_force(), dict[str, Exception]()
        due = _due(plan, time.time())
        if due or _is_missing(plan):
            try:
                await before()
            except Exception as error:  # noqa: BLE001  requests that are not counted are no reason to fill the disk
                wrong["count of requests"] = error
            wrong |= _put_all_aside(due, plan.logs)
            reopen()
        yield wrong


def _put_all_aside(due: list[Path], logs: Logs) -> Round:
    wrong = dict[str, Exception]()
    for path in due:
        try:
            put_aside(path, logs.keep, logs.size)
        except OSError as error:
            wrong[str(path)] = error
    return wrong


def _due(plan: Plan, now: float) -> list[Path]:
    paths = [
        Path(path) for path in (plan.access_log, plan.app_log, plan.error_log, plan.guards.waf_log) if path
    ]
    return [path for path in paths if _is_due(path, plan.logs, now)]


def _is_missing(plan: Plan) -> bool:
    """Whether one of the gateway's log files was removed: the gateway keeps writing to it, and nobody can read it."""
    return not all(
        Path(path).exists() for path in (plan.access_log, plan.error_log, plan.guards.waf_log) if path
    )


def _is_due(path: Path, logs: Logs, now: float) -> bool:
    try:
        size = path.stat().st_size
    except OSError:
        return False
    if size and logs.size and size >= logs.size:
        return True
    return bool(size and logs.age_seconds and now - began(path, now) >= logs.age_seconds)


def began(path: Path, now: float) -> float:
    """The Unix time of its first line; `now` if that line has no readable time."""
    try:
        with open(path, "rb", opener=opened) as file:  # the app may have replaced its own with a FIFO
            head = file.read(64).decode("ascii", "replace")
    except OSError:
        return now
    # {"time":"2026-11-21T14:22:25+00:00" in access.log and, with a blank, in app.log; 2026/11/21 14:22:25 in nginx's.
    text = head.partition('"time":')[2].strip().partition('"')[2].partition('"')[0] or head[:19].replace(
        "/", "-"
    )
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return now


def put_aside(path: Path, keep: int, size: int = 0) -> None:
    """Rename access.log.1 to .2 and so on, delete the oldest, and rename the file itself to .1.

    All of them together take at most twice what `keep` and `size` allow, however much was written between looks:
    older files are deleted. The newest always stays.
    """
    numbered = [path.with_name(f"{path.name}.{number}") for number in range(1, keep + 1)]
    numbered[-1].unlink(missing_ok=True)
    for older, newer in zip(reversed(numbered[1:]), reversed(numbered[:-1]), strict=True):
        if newer.exists():
            newer.rename(older)
    path.rename(numbered[0])
    total = 0
    for one in numbered:
        with suppress(FileNotFoundError):
            total += one.stat().st_size
        if size and total > _MOST * keep * size and one is not numbered[0]:
            one.unlink(missing_ok=True)
