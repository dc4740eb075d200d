"""Where a task waits. An app may await objects of any kind: only those of the interpreter itself are looked into."""

from __future__ import annotations

import asyncio
import traceback
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any, Final

from portico.link.slow import DEEPEST

_PARTS: Final[dict[type, tuple[str, str]]] = {
    CoroutineType: ("cr_frame", "cr_await"),
    GeneratorType: ("gi_frame", "gi_yieldfrom"),
    AsyncGeneratorType: ("ag_frame", "ag_await"),
}
_LONGEST: Final = 1000
"""Coroutines that wait for each other: a longer chain is cut."""


def stack(task: asyncio.Task[Any]) -> traceback.StackSummary:
    """The frames that a task waits in, the innermost last."""
    found = list[FrameType]()
    waits: Any = task.get_coro()
    for _ in range(_LONGEST):
        names = _PARTS.get(type(waits))
        if names is None:
            break
        frame, waits = (getattr(waits, name) for name in names)
        if frame is not None:
            found.append(frame)
    return traceback.StackSummary.extract((frame, frame.f_lineno) for frame in found[-DEEPEST:])


def shown(task: asyncio.Task[Any] | None) -> str:
    """The same as lines of text."""
    return "".join(stack(task).format()).rstrip() if task else "(the task has ended)"
