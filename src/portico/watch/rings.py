"""What is kept of the last requests and of what went wrong: so many, and no more, whatever is sent."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

import msgspec

MOST_REQUESTS = 200
MOST_TRACED = 50
TRACED = "portico-trace"
"""The User-Agent of `portico trace`."""
MOST_ERRORS = 30
_LONGEST_FIELD = 500
_LONGEST_TEXT = 8000
_SIGNS = ("Traceback (most recent call last)", " is stuck: ")
"""What the app's own words have when something went wrong without an answer that says so."""


class Requests:
    """The last lines, each as its fields, numbered; those of traces stay longer."""

    def __init__(self) -> None:
        self._others: deque[dict[str, Any]] = deque(maxlen=MOST_REQUESTS)
        self._traced: deque[dict[str, Any]] = deque(maxlen=MOST_TRACED)
        self._number = 0

    @property
    def kept(self) -> list[dict[str, Any]]:
        return sorted((*self._others, *self._traced), key=lambda line: int(line["n"]))

    def add(self, lines: Iterable[bytes]) -> list[dict[str, Any]]:
        """What was added."""
        added = [self._numbered(line) for raw in lines if (line := fields(raw))]
        for line in added:
            (self._traced if line.get("agent") == TRACED else self._others).append(line)
        return added

    def _numbered(self, line: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        return {"n": self._number, **line}


class Errors:
    """Requests that failed and tracebacks, brought together by the request's id; a later one moves to the end."""

    def __init__(self) -> None:
        self.kept: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._changed: dict[str, None] = {}
        self._number = 0

    def add_requests(self, lines: Iterable[bytes]) -> None:
        """Lines answered 5xx."""
        for raw in lines:
            if line := fields(raw):
                self._merge(str(line.get("id") or ""), {"request": line, "time": line.get("time")})

    def add_words(self, lines: Iterable[bytes]) -> None:
        """Lines of app.log: JSON with `id`, `stream` and `text`."""
        for raw in lines:
            try:
                entry = msgspec.json.decode(raw)
                name, text, time = str(entry.get("id") or ""), str(entry["text"]), str(entry.get("time", ""))
            except (msgspec.MsgspecError, ValueError, KeyError, AttributeError):
                continue
            if name:
                self._texts[name] = f"{self._texts.pop(name, '')}{text}\n"[-_LONGEST_TEXT:]
                if len(self._texts) > MOST_ERRORS:
                    self._texts.popitem(last=False)
            if any(sign in text for sign in _SIGNS) or name in self.kept:
                self._merge(name, {"text": self._texts.get(name) or text[-_LONGEST_TEXT:], "time": time})

    def changed(self) -> list[dict[str, Any]]:
        """What was added or has got more since the last call."""
        found = [self.kept[name] for name in self._changed if name in self.kept]
        self._changed.clear()
        return found

    def _merge(self, name: str, news: dict[str, Any]) -> None:
        if not name:
            self._number += 1
            name = f"-{self._number}"
        new = {"id": name, "time": "", "request": None, "text": self._texts.get(name, "")}
        self.kept[name] = self.kept.pop(name, new) | news
        self._changed[name] = None
        if len(self.kept) > MOST_ERRORS:
            self.kept.popitem(last=False)


def fields(raw: bytes) -> dict[str, Any] | None:
    """A line's fields, long words cut; None for what is no request."""
    try:
        line = msgspec.json.decode(raw.decode("utf-8", "replace"))
    except (msgspec.MsgspecError, ValueError):
        return None
    if not isinstance(line, dict):
        return None
    return {name: _cut(value) for name, value in line.items()}


def _cut(value: Any) -> Any:
    return f"{value[:_LONGEST_FIELD]}..." if isinstance(value, str) and len(value) > _LONGEST_FIELD else value
