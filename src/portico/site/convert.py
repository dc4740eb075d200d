"""Converts a value of portico.toml or the command line to the declared type of its option."""

from __future__ import annotations

import difflib
from typing import Any, get_args

import msgspec

from portico.site.keys import Key, expected


def convert(key: Key, value: Any, *, is_flag: bool) -> Any:
    """The value as its declared type; a flag's value is text. Raises ValueError with what was expected."""
    if key.is_list:
        return _strings(key, list(value) if is_flag else value)
    if key.is_table:
        return _table(key, value, is_flag=is_flag)
    if hasattr(key.type, "parse"):
        if not isinstance(value, str):
            raise ValueError(f"expected {key.expected}")
        return key.type.parse(value)
    try:
        return msgspec.convert(value, key.type, strict=not is_flag)
    except msgspec.ValidationError:
        raise ValueError(_expected_near(key, value)) from None


def _expected_near(key: Key, value: Any) -> str:
    words = [
        word for arg in get_args(key.type) for word in (get_args(arg) or (arg,)) if isinstance(word, str)
    ]
    near = difflib.get_close_matches(str(value), words, n=1)
    return f"expected {expected(key.type)}" + (f"; did you mean '{near[0]}'?" if near else "")


def _strings(key: Key, value: Any) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise ValueError(f"expected {key.expected}")
    return values


def _table(key: Key, value: Any, *, is_flag: bool) -> dict[str, str]:
    if is_flag and value == [""]:
        return {}
    if is_flag and "" in list(value):
        raise ValueError("an empty value removes all entries, so it stands alone")
    if is_flag:
        pairs = [item.partition("=") for item in value]
        if not all(middle for _, middle, _ in pairs):
            name, example = next(iter(key.example.items()))
            raise ValueError(
                f"expected {'URL=DIRECTORY' if '/' in name else 'NAME=VALUE'}, like {name}={example}"
            )
        return {url: folder for url, _, folder in pairs}
    if not isinstance(value, dict):
        raise ValueError(f"expected {key.expected}")
    if wrong := [name for name, item in value.items() if not isinstance(item, str)]:
        raise ValueError(f"expected {key.expected}; write the value of {wrong[0]} in quotes")
    return value
