"""A portico.toml from options. What is written is read again and compared, so that no value can change on the way."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

from portico.explain.adopted import AdoptedSite, Fate, Option, Value
from portico.project.adopt.names import short

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_CONTROL = re.compile(r'["\\\x00-\x1f\x7f]')
_LITERAL = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]*")
_TOP = ("app", "domains", "canonical", "listen", "user", "mount", "behind", "behind_protocol", "request_timeout",
        "max_upload", "spa")  # fmt: skip


def toml_of(site: AdoptedSite, source: str) -> str:
    """The text of portico.toml. `source` is the configuration's path, for its first line.

    Raises ValueError for a value that TOML would not give back.
    """
    lines = [f"# Made by portico adopt from {_comment(source)}."]
    lines += _lost(site)
    top = [one for one in site.options if len(one.key) == 1]
    order = {name: at for at, name in enumerate(_TOP)}
    lines += ["", *map(_line, sorted(top, key=lambda one: order.get(one.key[0], len(order))))]
    for table, options in _tables(site.options).items():
        name = "[[route]]" if table[0] == "route" else f"[{'.'.join(map(_key, table))}]"
        lines += ["", name, *map(_line, options)]
    lines += _nginx(site)
    text = "\n".join(lines).replace("\n\n\n", "\n\n").rstrip("\n") + "\n"
    if (given := tomllib.loads(text)) != (wanted := _document(site)):
        raise ValueError(f"TOML gives back {given!r}, not {wanted!r}")
    return text


def _tables(options: Iterable[Option]) -> dict[tuple[str, ...], list[Option]]:
    found = dict[tuple[str, ...], list[Option]]()
    for one in options:
        if len(one.key) > 1:
            found.setdefault(one.key[:-1], []).append(one)
    last = ("route", "static", "headers", "routes", "access")
    return dict(
        sorted(found.items(), key=lambda pair: last.index(pair[0][0]) + 1 if pair[0][0] in last else 0)
    )


def _line(one: Option) -> str:
    cause = _comment(short(one.cause))
    return f"{_key(one.key[-1])} = {value_of(one.value)}{f'  # {cause}' if cause else ''}"


def _lost(site: AdoptedSite) -> Iterator[str]:
    for one in site.remarks:
        if one.fate is Fate.LOST:
            yield f"# not kept: {_comment(f'{short(one.cause)}: {one.text}: {one.why}')}"


def _nginx(site: AdoptedSite) -> Iterator[str]:
    found = {
        key: [one for one in site.kept if one.is_above == above]
        for key, above in (("http", True), ("server", False))
    }
    if not site.kept:
        return
    yield ""
    yield "[nginx]"
    for key, kept in found.items():
        if kept:
            yield f"{key} = ["
            yield from (f"  {_text(one.text)},  # {_comment(short(one.cause))}" for one in kept)
            yield "]"


def _document(site: AdoptedSite) -> dict[str, Any]:
    """What TOML must give back."""
    made = dict[str, Any]()
    for one in site.options:
        place = made
        for step in one.key[:-1]:
            place = place.setdefault(step, {})
        place[one.key[-1]] = list(one.value) if isinstance(one.value, tuple) else one.value
    if rules := made.get("route"):
        made["route"] = list(rules.values())
    for key, above in (("http", True), ("server", False)):
        if kept := [one.text for one in site.kept if one.is_above == above]:
            made.setdefault("nginx", {})[key] = kept
    return made


def value_of(value: Value) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_string, value))}]"
    return _string(value)


def _string(text: str) -> str:
    return '"' + _CONTROL.sub(lambda found: _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}", text) + '"'


def _text(text: str) -> str:
    """Directives: with their own quotes where TOML allows it, so that they stay readable."""
    if "'" not in text and "\n" not in text and _LITERAL.fullmatch(text):
        return f"'{text}'"
    if "'''" not in text and not text.endswith("'") and _LITERAL.fullmatch(text):
        return f"'''\n{text}'''"
    return _string(text)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _comment(text: str) -> str:
    """On one line, without signs that a comment of TOML may not hold."""
    return re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]+", " ", text)
