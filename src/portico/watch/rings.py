"""Bounded lists of the last requests and of errors."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from portico.log.reader import entry_reader, request_reader
from portico.log.request import Request
from portico.protocol.feed import Error, Fields

MOST_REQUESTS = 200
MOST_TRACED = 50
TRACED = "portico-trace"
"""The User-Agent of `portico trace`."""
MOST_ERRORS = 30
_LONGEST_FIELD = 500
_LONGEST_TEXT = 8000
_SIGNS = ("Traceback (most recent call last)", " is stuck: ")
"""The words in the app's output for errors without a failed answer."""


class Requests:
    """The last lines, each as its fields, numbered; those of traces stay longer."""

    def __init__(self) -> None:
        self._others: deque[Fields] = deque(maxlen=MOST_REQUESTS)
        self._traced: deque[Fields] = deque(maxlen=MOST_TRACED)
        self._number = 0
        self._reader = request_reader()

    @property
    def kept(self) -> list[Fields]:
        return sorted((*self._others, *self._traced), key=lambda line: int(line["n"] or 0))

    def add(self, lines: Iterable[bytes]) -> list[Fields]:
        """The added requests. `Metrics` counts and reports unreadable ones."""
        added = [self._numbered(fields(request)) for request in self._reader.read(lines)]
        for line in added:
            (self._traced if line.get("agent") == TRACED else self._others).append(line)
        return added

    def _numbered(self, line: Fields) -> Fields:
        self._number += 1
        return {"n": self._number, **line}


class Errors:
    """Failed requests and tracebacks, matched by the request's ID; equal ones are one error.

    `kept` has each error by its key, the last one at the end.
    """

    def __init__(self) -> None:
        self.kept: OrderedDict[str, Error] = OrderedDict()
        self._latest: OrderedDict[str, Error] = OrderedDict()
        """The last ones each by its own ID: their output may still arrive."""
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._changed: dict[str, None] = {}
        self._told: set[str] = set()
        self._number = 0
        self._reader = entry_reader()

    def add_requests(self, requests: Iterable[Request]) -> None:
        """Those answered 5xx."""
        for request in requests:
            self._merge(request.id, request=fields(request), time=request.time)

    def add_words(self, lines: Iterable[bytes]) -> None:
        """Adds lines of app.log."""
        for entry in self._reader.read(lines):
            name, text = entry.id, entry.text
            if name:
                self._texts[name] = f"{self._texts.pop(name, '')}{text}\n"[-_LONGEST_TEXT:]
                if len(self._texts) > MOST_ERRORS:
                    self._texts.popitem(last=False)
            if any(sign in text for sign in _SIGNS) or name in self._latest:
                self._merge(name, text=self._texts.get(name) or text[-_LONGEST_TEXT:], time=entry.time)

    @property
    def unread(self) -> int:
        """Unreadable lines of app.log."""
        return self._reader.unread

    def all(self) -> list[Error]:
        """For a new observer; `changed` reports those that turn out to be another error later."""
        self._told |= self.kept.keys()
        return [*self.kept.values()]

    def changed(self) -> list[Error]:
        """Errors that are new or have changed; a count of 0 marks one that became another."""
        gone = [Error(key=key) for key in self._changed if key in self._told and key not in self.kept]
        found = [self.kept[key] for key in self._changed if key in self.kept]
        self._changed.clear()
        self._told = (self._told | {error.key for error in found}) & self.kept.keys()
        return gone + found

    def _merge(self, name: str, **fresh: Any) -> None:
        if not name:
            self._number += 1
            name = f"-{self._number}"
        before = self._latest.pop(name, None)
        error = replace(before or Error(id=name, text=self._texts.get(name, "")), **fresh)
        error = replace(error, key=same(error))
        self._latest[name] = error
        if len(self._latest) > MOST_ERRORS:
            self._latest.popitem(last=False)
        if before and before.key != error.key:
            self._take_back(before.key)
            before = None
        self._count(error, is_new=before is None)

    def _count(self, error: Error, *, is_new: bool) -> None:
        key = error.key
        known = self.kept.pop(key, None)
        count = known.count + is_new if known else 1
        self.kept[key] = replace(error, count=count, first=known.first if known else error.time)
        self._changed[key] = None
        if len(self.kept) > MOST_ERRORS:
            gone, _ = self.kept.popitem(last=False)
            self._changed.pop(gone, None)

    def _take_back(self, key: str) -> None:
        """An error that was counted there has turned out to be another."""
        known = self.kept.pop(key, None)
        if known is None:
            return
        if known.count > 1:
            self.kept[key] = replace(known, count=known.count - 1)
        self._changed[key] = None


def same(error: Error) -> str:
    """The key of equal errors: status, method, route, and the exception's type and place or the last words."""
    request = error.request or {}
    route = str(request.get("endpoint") or request.get("path", ""))
    lines = error.text.strip().split("\n")
    frame = next((line.strip() for line in reversed(lines) if line.startswith('  File "')), "")
    last = lines[-1] if lines else ""
    said = f"{frame} {last.partition(':')[0]}" if frame else last
    return "\n".join((str(request.get("status", "")), str(request.get("method", "")), route, said))


def fields(request: Request) -> Fields:
    """Every field of a request and what follows from them, with long texts cut."""
    return {name: _cut(value) for name, value in request.record().items()}


def _cut(value: Any) -> Any:
    return f"{value[:_LONGEST_FIELD]}..." if isinstance(value, str) and len(value) > _LONGEST_FIELD else value
