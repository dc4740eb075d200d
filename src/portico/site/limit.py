"""A limit in words: `5/minute`, `100/hour per header:X-API-Key`, `2 in progress of POST per session`.

N/second | N/minute | N/hour [burst N]
N in progress
    [of METHOD,METHOD]  [per client | session | account | header:NAME]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from portico.http import METHODS

OFF = "off"
"""Replaces a route's limits: the site's limits do not apply there either."""
SECONDS = {"second": 1, "minute": 60, "hour": 3600}
MOST_IN_PROGRESS = 65535
_MOST_A_SECOND = 1_000_000
_MOST_BURST = 1_000_000
LEAST_AN_HOUR = 60
_EXPECTED = 'expected a limit such as "5/minute", "100/hour per session" or "2 in progress"'
_WINDOW = re.compile(r"([0-9]{1,12})/([A-Za-z]+)")
_NGINX = re.compile(r"([0-9]{1,12})r/([sm])")
_HEADER = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")
_METHOD = re.compile(r"[A-Z][A-Z-]{0,30}")
_SOME_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or another that IANA lists"
Per = Literal["client", "session", "account", "header"]
_WHOM: tuple[Per, ...] = ("client", "session", "account")


@dataclass(frozen=True)
class Limit:
    """One limit. `seconds` is the window of a rate, 0 for requests in progress; no `methods` means all."""

    count: int
    seconds: int
    burst: int | None = None
    """The burst: requests that pass at once beyond the first; None: as many as the count allows."""
    methods: tuple[str, ...] = ()
    per: Per = "client"
    header: str = ""

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Raises ValueError with what was expected."""
        words = text.split()
        made = _begin(words)
        while words:
            made = _more(made, words.pop(0), words)
        return made

    @property
    def window(self) -> str:
        """second, minute or hour; empty for requests in progress."""
        return next((name for name, seconds in SECONDS.items() if seconds == self.seconds), "")

    @property
    def whom(self) -> str:
        return f"header:{self.header}" if self.per == "header" else self.per

    def of(self, methods: Iterable[str]) -> Limit:
        """The same limit for requests with these methods only, unless it names methods itself."""
        return self if self.methods else replace(self, methods=tuple(sorted(methods)))

    def __str__(self) -> str:
        words = [f"{self.count}/{self.window}" if self.seconds else f"{self.count} in progress"]
        words += [f"burst {self.burst}"] if self.burst is not None else []
        words += [f"of {','.join(self.methods)}"] if self.methods else []
        words += [f"per {self.whom}"] if self.per != "client" else []
        return " ".join(words)


def of_methods(limits: Iterable[str], methods: Iterable[str]) -> list[str]:
    """Limits as text, each for these methods only. Unreadable ones stay unchanged."""
    chosen, made = tuple(methods), []
    for text in limits:
        try:
            made.append(text if text == OFF or not chosen else str(Limit.parse(text).of(chosen)))
        except ValueError:
            made.append(text)
    return made


def strange_methods(limits: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Methods that a limit names and nobody has heard of: such a limit counts nothing. What is wrong, what to do."""
    for text in limits:
        try:
            strange = [] if text == OFF else [one for one in Limit.parse(text).methods if one not in METHODS]
        except ValueError:
            continue  # said where limits are read
        if strange:
            near = get_close_matches(strange[0], sorted(METHODS), n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            yield f'"{text}": {strange[0]} is not an HTTP method', f"{hint}expected {_SOME_METHODS}"


def _begin(words: list[str]) -> Limit:
    """Takes the count and its window off the words."""
    first = words.pop(0) if words else ""
    if first.isascii() and first.isdigit() and words[:2] == ["in", "progress"]:
        del words[:2]
        if not 1 <= int(first) <= MOST_IN_PROGRESS:
            raise ValueError(f"{first} in progress is out of range: expected 1 to {MOST_IN_PROGRESS}")
        return Limit(int(first), 0)
    if old := _NGINX.fullmatch(first):
        raise ValueError(
            f'that is nginx\'s spelling: write "{old[1]}/{"second" if old[2] == "s" else "minute"}"'
        )
    found = _WINDOW.fullmatch(first)
    if not found:
        raise ValueError(_EXPECTED)
    if found[2] not in SECONDS:
        raise ValueError(f'"{found[2]}" is not a window: expected second, minute or hour')
    return Limit(_count(int(found[1]), SECONDS[found[2]]), SECONDS[found[2]])


def _count(count: int, seconds: int) -> int:
    if not 1 <= count <= _MOST_A_SECOND * seconds:
        raise ValueError(f"{count} is out of range: expected 1 to {_MOST_A_SECOND} a second")
    if seconds == SECONDS["hour"] and count < LEAST_AN_HOUR:
        raise ValueError(
            f"{count}/hour is too slow: nginx supports no rate below one request a minute; "
            f"expected at least {LEAST_AN_HOUR}/hour or 1/minute"
        )
    return count


def _more(limit: Limit, word: str, words: list[str]) -> Limit:
    """The limit with the next word applied; the word's value is taken off the words, too."""
    value = words.pop(0) if words else ""
    if word == "burst" and limit.seconds:
        if not value.isascii() or not value.isdigit() or not 0 <= int(value) <= _MOST_BURST:
            raise ValueError(f"burst: expected 0 to {_MOST_BURST}")
        if limit.seconds == SECONDS["hour"]:
            raise ValueError("burst: the burst of an hourly limit follows from its count; remove it")
        return replace(limit, burst=int(value))
    if word == "of":
        methods = tuple(value.split(","))
        if not all(map(_METHOD.fullmatch, methods)):
            raise ValueError('of: expected methods such as "of POST" or "of POST,PUT"')
        return replace(limit, methods=tuple(sorted(set(methods))))
    if word == "per":
        return _per(limit, value)
    raise ValueError(f'"{word}" is not understood here: {_EXPECTED}')


def _per(limit: Limit, value: str) -> Limit:
    kind, colon, name = value.partition(":")
    if kind == "header" and colon and _HEADER.fullmatch(name):
        return replace(limit, per="header", header=name)
    for per in _WHOM:
        if per == value:
            return replace(limit, per=per)
    raise ValueError(f"per: expected {', '.join(_WHOM)} or header:NAME, such as header:X-API-Key")
