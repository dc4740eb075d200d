"""The machine, by histories: events in, actions out. `GOLDEN=1` writes what came out into the files.

A history holds lines of an event at a time, `0.5 AppServerExited 1 -9`, each followed by the indented actions
that it must bring; `Say Ready 0.5` is an action, too. A word like `start_seconds=60` is one of the plan's timeouts
that differs from the usual.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import asdict, fields, replace

from portico.errors import Problem
from portico.run.machine import State, Timeouts, step, wake_at
from portico.run.machine import event as events

TIMEOUTS = Timeouts(start_seconds=30, stop_seconds=35, standby_seconds=300)
HISTORIES = sorted(Path(__file__).parent.parent.joinpath("histories").glob("*.txt"))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_golden_history(path: Path) -> None:
    told = path.read_text()
    replayed = "".join(replay(told.splitlines()))
    if os.environ.get("GOLDEN"):
        path.write_text(replayed)
    assert replayed == told


def replay(lines: list[str]) -> Iterator[str]:
    """The history with the actions that the machine really gives; comments and blank lines are kept."""
    state = State(TIMEOUTS, "nginx")
    for line in lines:
        if line.startswith("  "):
            continue
        yield f"{line}\n"
        if line and not line.startswith("#"):
            state, actions = step(state, *parse(line))
            yield from (f"  {words(action)}\n" for action in actions)
            yield from _waking(state)


def _waking(state: State) -> Iterator[str]:
    at = wake_at(state)
    yield f"  (wakes at {at:g})\n" if at is not None else ""


def parse(line: str) -> tuple[Any, float]:
    now, name, *texts = shlex.split(line)
    kind = getattr(events, name)
    types = {field.name: field.type for field in fields(kind)}
    has_plan = types.pop("timeouts", None) is not None
    plain = [text for text in texts if not (has_plan and "=" in text)]
    values = {key: _value(types[key], text) for key, text in zip(types, plain, strict=False)}
    if has_plan:
        values["timeouts"] = _timeouts(text for text in texts if text not in plain)
    return kind(**values), float(now)


def _timeouts(words: Iterable[str]) -> Timeouts:
    differing = (word.split("=") for word in words)
    return replace(TIMEOUTS, **{name: float(seconds) for name, seconds in differing})


def _value(kind: Any, text: str) -> object:
    if kind is bool:
        return text == "yes"
    if kind == tuple[str, ...]:
        return tuple(text.split(","))
    return kind(text) if kind in (int, str) else (Problem("", text),)


def words(value: object) -> str:
    """A value in words: its name and its fields in their order."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case Enum():
            return str(value.value)
        case Problem():
            return shlex.quote(str(value))
        case tuple():
            return " ".join(map(words, value))
        case str():
            return shlex.quote(value)
    if isinstance(value, Struct):
        given = list(asdict(value).items())
        defaults = {field.name: field.default for field in fields(type(value))}
        while given and defaults[given[-1][0]] == given[-1][1]:
            given.pop()
        parts = [words(part) for _, part in given]
        return " ".join([type(value).__name__, *filter(None, parts)])
    return str(value)
