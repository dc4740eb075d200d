"""What `portico tune` sees, tries and finds, as values. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from portico.measure.model import Results, Sample
from portico.measure.statistics import Ratio

Figure = Literal["requests/s", "CPU µs a request", "memory, MB", "answered of 100"]

FIGURES: Mapping[str, Callable[[Sample], float]] = {
    "requests/s": lambda one: one.rate,
    "CPU µs a request": lambda one: one.whole_us,
    "memory, MB": lambda one: one.whole_mb,
}
"""Those that a load shows."""
MORE_IS_BETTER: frozenset[Figure] = frozenset({"requests/s", "answered of 100"})


def quoted(text: str) -> str:
    """As TOML has it."""
    return json.dumps(text, ensure_ascii=False)


class Seen(Struct, frozen=True):
    """What the app answers to a GET without cookies, one request at a time."""

    path: str
    status: int
    alone_ms: float
    """The quickest of some answers."""
    cpu_ms: float
    """Processor time of one request, with the gateway's."""
    size: int = 0
    cache_control: str = ""
    vary: str = ""
    sets_cookie: bool = False
    is_same: bool = False
    """Two answers were alike, byte for byte."""
    needed_ms: float = 0.0
    """For an answer 504: how long the app takes if it may; 0 if that was not seen either."""


class SeenFolder(Struct, frozen=True):
    """A folder whose files the app sends itself. `problem` says why the gateway could not send the same."""

    url: str
    folder: str
    """Relative to the site's directory."""
    path: str
    """One file's URL."""
    files: int
    """How many were compared."""
    problem: str = ""


class Looked(Struct, frozen=True):
    routes: tuple[Seen, ...]
    folders: tuple[SeenFolder, ...] = ()
    patience_seconds: float = 0.0
    """How long a slow page was waited for."""


class Candidate(Struct, frozen=True):
    """A setting to try: `key` in portico.toml, its `value`, the figure that must improve, and a path that shows it."""

    key: tuple[str, ...]
    value: str
    figure: Figure
    path: str
    why: str
    caution: str = ""
    """What to look at before it is taken."""

    @property
    def name(self) -> str:
        return ".".join(self.key)

    @property
    def toml(self) -> str:
        """The value in portico.toml, where each of these is a text."""
        return quoted(self.value)

    @property
    def line(self) -> str:
        *table, name = self.key
        written = name if name.isidentifier() else quoted(name)
        return f"{'.'.join((*table, written))} = {self.toml}"


class Advice(Struct, frozen=True):
    """What no measurement can decide, or Portico cannot write: a line and why."""

    line: str
    why: str


class Outcome(Struct, frozen=True):
    """What came of a candidate. `ratio` is after / before; None if that has no interval. `reason` says why it was not
    kept, `costs` what it costs.
    """

    candidate: Candidate
    is_kept: bool
    before: float = 0.0
    after: float = 0.0
    ratio: Ratio | None = None
    reason: str = ""
    costs: str = ""


class Tuned(Struct, frozen=True):
    """Everything that `portico tune` found. Each outcome was measured on top of those kept before it."""

    app: str
    machine: str
    outcomes: list[Outcome]
    advice: list[Advice]
    samples: list[Results]
    problems: list[str]

    @property
    def kept(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.is_kept]
