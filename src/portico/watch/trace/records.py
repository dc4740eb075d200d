"""What the workers wrote of a traced request (`link.trace`): the app's user may write anything there."""

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
    """Something that happened at `ns`, in nanoseconds of the clock that never goes back; `what` names it."""

    what: str
    ns: Count
    name: str = ""
    file: str = ""
    line: Count | None = None


class Response(msgspec.Struct, frozen=True):
    """What the app said, and in `sent` the headers that the worker sent. Without `status` it had not said it yet."""

    status: str | int | None = None
    headers: Headers = []
    route: str = ""
    sent: Headers = []


class Record(msgspec.Struct, frozen=True):
    """What one worker knows of the request. `nginx` are the variables that it got, `environ` what the app got."""

    pid: Pid
    thread: Count
    ended: bool
    events: Annotated[list[Event], msgspec.Meta(min_length=1)]
    environ: Variables
    nginx: Variables = {}
    handed_over: bool = False
    response: Response | None = None

    @property
    def first(self) -> dict[str, int]:
        """When each thing happened first."""
        return {event.what: event.ns for event in reversed(self.events)}


def read(directory: Path) -> list[Record]:
    """One of each worker that had the request, in their order; what is none is left out."""
    found = list[Record]()
    for path, _ in untrusted.files(directory, _MOST_FILES):
        if path.suffix == ".json":
            with suppress(OSError, ValueError):  # it has just been written anew, or is none
                found.append(untrusted.read_json(path, Record))
    return sorted(found, key=lambda one: one.events[0].ns)
