"""The workers' records of a traced request (`link.trace`): the app's user may write anything there."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec

from portico.decoding import Count, Pid
from portico.place import untrusted

_MOST_FILES = 40
"""A request is tried a few times at most."""
Variables = dict[str, str | int | bool]
Headers = list[tuple[str, str]]


class Event(msgspec.Struct, frozen=True):
    """An event at `ns`, in nanoseconds of the monotonic clock; `what` names it."""

    what: str
    ns: Count
    name: str = ""
    file: str = ""
    line: Count | None = None


class Response(msgspec.Struct, frozen=True):
    """The app's answer, and in `sent` the headers that the worker sent. Without `status` there was none yet."""

    status: str | int | None = None
    headers: Headers = []
    route: str = ""
    sent: Headers = []


class Record(msgspec.Struct, frozen=True):
    """One worker's record of the request. `passed` are the variables from the gateway, `environ` those for the app."""

    pid: Pid
    thread: Count
    ended: bool
    events: Annotated[list[Event], msgspec.Meta(min_length=1)]
    environ: Variables
    passed: Variables = {}
    handed_over: bool = False
    response: Response | None = None

    @property
    def first(self) -> dict[str, int]:
        """The first time of each event."""
        return {event.what: event.ns for event in reversed(self.events)}

    @property
    def is_silent(self) -> bool:
        """Whether no answer of the app had come when it was read."""
        return not self.ended and (self.response is None or self.response.status is None)


def read(directory: Path) -> list[Record]:
    """The record of each worker that had the request, in their order; invalid ones are skipped."""
    found = list[Record]()
    for path, _ in untrusted.files(directory, _MOST_FILES):
        if path.suffix == ".json":
            with suppress(OSError, ValueError):  # it is being written, or is invalid
                found.append(untrusted.read_json(path, Record))
    return sorted(found, key=lambda one: one.events[0].ns)
