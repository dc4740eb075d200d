"""A key of a TOML file added or changed as somebody would who edits it: every other line, and every comment, stays as
it is.
"""

from __future__ import annotations

import json
import re
import tomllib
from copy import deepcopy
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ASSIGNED = re.compile(r"(?P<name>[^=#\[\]{}]+?)\s*=\s*")
_COMMENTS = re.compile(r"[ \t]*#")


def with_key(text: str, key: tuple[str, ...], value: str) -> str:
    """`value` is TOML. Raises ValueError where the key is there already, or the file is written in another way."""
    *table, name = key
    wanted = _with(tomllib.loads(text), key, tomllib.loads(f"x = {value}")["x"])
    lines = text.splitlines(keepends=True)
    end = "\r\n" if "\r\n" in text else "\n"
    line = f"{_written(name)} = {value}{end}"
    made = "".join(_in_table(lines, table, line, end) if table else _at_top(lines, line, end))
    if tomllib.loads(made) != wanted:
        raise ValueError(f"{'.'.join(key)} has no simple place in the file")
    return made


def with_value(text: str, key: tuple[str, ...], value: str) -> str:
    """The same for a key that may be there already: its value is replaced, in its line. Raises ValueError."""
    before = tomllib.loads(text)
    if not _has(before, key):
        return with_key(text, key, value)
    wanted = _changed(before, key, tomllib.loads(f"x = {value}")["x"])
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        made = _rewritten(line, key[-1], value)
        if made is None:
            continue
        whole = "".join([*lines[:index], made, *lines[index + 1 :]])
        if _loaded(whole) == wanted:
            return whole
    raise ValueError(f"{'.'.join(key)} is not alone in one line of the file")


def _has(document: Any, key: tuple[str, ...]) -> bool:
    for step in key:
        if not isinstance(document, dict) or step not in document:
            return False
        document = document[step]
    return True


def _changed(old: dict[str, Any], key: tuple[str, ...], value: Any) -> dict[str, Any]:
    made = deepcopy(old)
    place = made
    for step in key[:-1]:
        place = place[step]
    place[key[-1]] = value
    return made


def _rewritten(line: str, name: str, value: str) -> str | None:
    """The line with another value if it gives one to a key of that name; a comment behind it stays."""
    found = _ASSIGNED.match(line)
    if found is None or name not in found["name"]:
        return None
    rest = line[found.end() :]
    ends = [*(each.start() for each in _COMMENTS.finditer(rest)), len(rest.rstrip("\r\n"))]
    for end in sorted(ends):
        if _loaded(f"x = {rest[:end]}") is not None:
            return line[: found.end()] + value + rest[end:]
    return None


def _loaded(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _with(old: dict[str, Any], key: tuple[str, ...], value: Any) -> dict[str, Any]:
    made = deepcopy(old)
    place = made
    for step in key[:-1]:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            raise ValueError(f"{step} is written as one value")
    if key[-1] in place:
        raise ValueError(f"{'.'.join(key)} is there already")
    place[key[-1]] = value
    return made


def _at_top(lines: list[str], line: str, end: str) -> list[str]:
    """Behind the last key outside of tables; comments above the first table stay with it."""
    at = next((index for index, each in enumerate(lines) if each.lstrip().startswith("[")), len(lines))
    while at and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith("#")):
        at -= 1
    before = _ended(lines[:at], end)
    gap = [end] if not before and lines and lines[0].strip() else []
    return [*before, line, *gap, *lines[at:]]


def _in_table(lines: list[str], table: list[str], line: str, end: str) -> list[str]:
    for index, each in enumerate(lines):
        if _header(each) == table:
            return [*_ended(lines[: index + 1], end), line, *lines[index + 1 :]]
    gap = [end] if lines else []
    return [*_ended(lines, end), *gap, f"[{'.'.join(map(_written, table))}]{end}", line]


def _header(line: str) -> list[str] | None:
    """The names of a line that begins a table; None for any other."""
    if not line.lstrip().startswith("[") or line.lstrip().startswith("[["):
        return None
    try:
        found = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    names = []
    while found:
        ((name, found),) = found.items()
        names.append(name)
    return names


def _ended(lines: list[str], end: str) -> list[str]:
    return [*lines[:-1], lines[-1] + end] if lines and not lines[-1].endswith("\n") else lines


def _written(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
