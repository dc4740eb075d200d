"""The worker's record of one request for `portico trace`; every other request costs a lookup in its environ.

A user who may create a directory in Portico's private one may trace a request: the header contains the directory's
name, which is random and removed after that trace. The header is always removed from the environ; if the directory
exists, the record is written into it: once before the app is called, once at the end.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from portico import atomic

VARIABLE: Final = "PORTICO_TRACE"
"""The variable with the parent of the traces' directories."""
MASK_VARIABLE: Final = "PORTICO_TRACE_MASK"
HEADER: Final = "HTTP_X_PORTICO_TRACE"
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_SECRET: Final = re.compile(
    r"cookie|authori[sz]ation|token|secret|passw|api[-_]?key|session|csrf|xsrf|credential|signature", re.I
)
_PARAMETER: Final = re.compile(r"([^?&=#;]+)=([^&#]*)")
_WITH_QUERY: Final = frozenset(
    {"query_string", "request_uri", "http_referer", "referer", "location", "content-location", "refresh"}
)
"""Headers and variables whose values contain a query."""


class Tracer:
    """Knows which traces were requested. `directory` None: none; the values of `masked` are not written."""

    def __init__(self, directory: str | None, masked: tuple[str, ...] = ()) -> None:
        self._directory = directory
        self._masked = frozenset(name.lower().replace("-", "_") for name in masked if name)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Tracer:
        return cls(environment.get(VARIABLE), tuple(environment.get(MASK_VARIABLE, "").split(",")))

    def where(self, name: str) -> Path | None:
        """The directory of a requested trace; None for a name that no authorized user has created."""
        if self._directory is None or not _NAME.fullmatch(name):
            return None
        path = Path(self._directory, name)
        return path if path.is_dir() else None

    def shown(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The values that may be written, with secrets masked."""
        return {
            name: self._value(name, value)
            for name, value in variables.items()
            if isinstance(value, str | bool | int) and name != HEADER
        }

    def headers(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(str(name), str(self._value(str(name), str(value)))) for name, value in headers]

    def _value(self, name: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if self._is_secret(name):
            return masked(value) if value else value
        return self.url(value) if name.lower() in _WITH_QUERY else value

    def url(self, text: str) -> str:
        """A URL or a query with the values of secret parameters masked."""
        return _PARAMETER.sub(self._parameter, text)

    def _parameter(self, found: re.Match[str]) -> str:
        return f"{found[1]}={masked(found[2]) if self._is_secret(found[1]) else self.url(found[2])}"

    def _is_secret(self, name: str) -> bool:
        plain = name.lower().replace("-", "_").removeprefix("http_")
        return plain in self._masked or bool(_SECRET.search(name))


def masked(value: str) -> str:
    return f"(masked, {len(value)} bytes)"


class Record:
    """The record: moments of time.monotonic_ns, which is one clock for all processes of a machine."""

    def __init__(self, where: Path, label: str, **first: Any) -> None:
        pid, _, thread = label.partition(" ")
        self.data: dict[str, Any] = {
            "pid": int(pid),
            "thread": int(thread or 0),
            "ended": False,
            "events": [],
            **first,
        }
        self._path = where / f"{pid}-{time.monotonic_ns()}.json"

    def note(self, what: str, at: int = 0, **more: Any) -> None:
        self.data["events"].append({"what": what, "ns": at or time.monotonic_ns(), **more})

    def write(self) -> None:
        """Never raises: the request is worth more than its trace."""
        with suppress(OSError, ValueError):
            atomic.write(self._path, json.dumps(self.data).encode())
