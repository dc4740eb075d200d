"""What the workers wrote of a traced request (`link.trace`): the app's user may write anything there."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec

from portico.decoding import Count, Pid
from portico.place import untrusted

_MOST_FILES = 40
"""A request is tried a few times at most."""
_Variables = dict[str, str | int | bool]
_Headers = list[tuple[str, str]]


class _Event(msgspec.Struct):
    what: str
    ns: Count
    name: str = ""
    file: str = ""
    line: Count | None = None


class _Response(msgspec.Struct):
    """`status` is missing where the app had not said it yet."""

    status: str | int | msgspec.UnsetType = msgspec.UNSET
    headers: _Headers = []
    route: str = ""
    sent: _Headers = []


class _Record(msgspec.Struct):
    pid: Pid
    thread: Count
    ended: bool
    events: Annotated[list[_Event], msgspec.Meta(min_length=1)]
    environ: _Variables
    nginx: _Variables = {}
    handed_over: bool = False
    response: _Response | None = None


def read(directory: Path) -> list[dict[str, Any]]:
    """One of each worker that had the request, in their order; what is none is left out."""
    found = list[_Record]()
    for path, _ in untrusted.files(directory, _MOST_FILES):
        if path.suffix == ".json":
            with suppress(OSError, ValueError):  # it has just been written anew, or is none
                found.append(untrusted.read_json(path, _Record))
    return [msgspec.to_builtins(one) for one in sorted(found, key=lambda one: one.events[0].ns)]
