"""The user's filter of requests: by status, time taken, path, method, ID and age."""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import Struct

from portico.errors import Problem, UsageError
from portico.log.request import Request, moment
from portico.values import Duration

_STATUS = re.compile(r"[1-5](xx|\d\d)", re.I)


class Filter(Struct, frozen=True):
    """Every condition that is set must match. `since` is a Unix time, `slower` seconds, `statuses` "404" or "5xx"."""

    statuses: tuple[str, ...] = ()
    slower: float = 0.0
    path: str = ""
    method: str = ""
    id: str = ""
    since: float = 0.0

    @property
    def is_everything(self) -> bool:
        """Whether it excludes no request, apart from old ones."""
        return not (self.statuses or self.slower or self.path or self.method or self.id)

    def has(self, request: Request) -> bool:
        return (
            (not self.statuses or _is_one_of(request.status, self.statuses))
            and request.seconds >= self.slower
            and (not self.path or is_below(request.path, self.path))
            and (not self.method or request.method == self.method)
            and (not self.id or request.id.startswith(self.id) or request.trace.startswith(self.id))
            and (not self.since or moment(request.time) >= self.since)
        )


def is_below(path: str, asked: str) -> bool:
    """`/api` means /api and what is below it, not /apis; `/api*` means every path with that prefix."""
    if asked.endswith("*"):
        return path.startswith(asked[:-1])
    return path == asked or path.startswith(asked.rstrip("/") + "/")


def statuses(texts: tuple[str, ...]) -> tuple[str, ...]:
    """`404`, `5xx` or several with commas. Raises UsageError."""
    words = [word.strip().lower() for text in texts for word in text.split(",")]
    for word in words:
        if not _STATUS.fullmatch(word):
            raise UsageError(Problem("--status", f'"{word}" is not a status', "expected 404, 5xx or 4xx,5xx"))
    return tuple(words)


def since(text: str, now: float) -> float:
    """A length of time back from now, or a date and time, as a Unix time. Raises UsageError."""
    try:
        return now - Duration.parse(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        hint = "expected 90s, 15m, 2h, 1d, or a time: 2026-11-21T14:00"
        raise UsageError(
            Problem("--since", f'"{text}" is neither a length of time nor a time', hint)
        ) from None


def _is_one_of(status: int, asked: tuple[str, ...]) -> bool:
    return any(word == str(status) or (word[1:] == "xx" and word[0] == str(status)[0]) for word in asked)
