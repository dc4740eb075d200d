"""The options as a flat list of dotted keys, read from their declaration in `site.options`."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct

from portico.site.options import Options
from portico.site.options.access import Access
from portico.site.options.edge import Edge
from portico.site.options.route import Route
from portico.site.options.section import Section
from portico.values import Address, AppRef, Duration, Size

_WORDS: dict[Any, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Duration: 'a duration such as "30s"',
    Size: 'a size such as "16MiB"',
    Address: 'an address such as "127.0.0.1:8080"',
    AppRef: 'an app such as "shop:app"',
}


class Key(Struct, frozen=True):
    """One option: `name` is dotted ("limits.rate"), `type` without None, `default` as declared."""

    name: str
    type: Any
    default: Any
    help: str
    example: Any
    source: str
    reach: str = ""
    """The rights that it gives beyond those of the app's user; empty for none."""
    is_read: bool = False
    """It names a file or a folder."""

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.is_table:
            pairs = ", ".join(f'"{name}" = "{value}"' for name, value in self.example.items())
            return f"a table such as {{ {pairs} }}"
        return expected(self.type)

    @property
    def is_list(self) -> bool:
        return get_origin(self.type) is list

    @property
    def is_table(self) -> bool:
        return get_origin(self.type) is dict


@cache
def keys() -> tuple[Key, ...]:
    """Every option, in the order of declaration."""
    return tuple(_walk(Options, ""))


@cache
def route_keys() -> tuple[Key, ...]:
    """The keys of a route's settings, in the order of declaration."""
    return tuple(_walk(Edge, ""))


@cache
def access_keys() -> tuple[Key, ...]:
    """The keys of an access table, in the order of declaration."""
    return tuple(_walk(Access, ""))


@cache
def rule_keys() -> tuple[Key, ...]:
    """The keys of a [[route]], in the order of declaration."""
    return tuple(_walk(Route, ""))


def table_keys() -> dict[str, tuple[Key, ...]]:
    """The tables that contain a table for each rule or path, and the list of tables."""
    return {"routes": route_keys(), "access": access_keys(), LIST: rule_keys()}


LIST = "route"
"""The only list of tables: [[route]]."""


@cache
def sections() -> dict[str, type[Section]]:
    """Each table of portico.toml by its name."""
    hints = typing.get_type_hints(Options)
    return {name: hint for name, hint in hints.items() if _is_section(hint)}


def purpose(table: type[msgspec.Struct]) -> str:
    """What the table is for, as one line: its docstring."""
    return " ".join((table.__doc__ or "").split())


def flag_keys() -> dict[str, Key]:
    """Flag names without dashes and the key that each sets: top-level options and sections' shorthands."""
    flags = {}
    for key in keys():
        section, dot, last = key.name.partition(".")
        is_short = dot and sections()[section].shorthand == last
        flags[(section if is_short else key.name).replace(".", "-").replace("_", "-")] = key
    return flags


def expected(hint: Any) -> str:
    """What a value of that type must be, in words."""
    if hint in _WORDS:
        return _WORDS[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(f'"{word}"' for word in args)
    if origin is list:
        return "a list of strings"
    return " or ".join(expected(arg) for arg in args)


def _walk(struct: type[msgspec.Struct], prefix: str) -> Iterator[Key]:
    hints = typing.get_type_hints(struct)
    metas = typing.get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        if not prefix and field.name in ("routes", "access", LIST):
            continue  # a table of tables, see table_keys
        if _is_section(hint):
            yield from _walk(hint, f"{prefix}{field.name}.")
            continue
        meta = metas[field.name].__metadata__[0]
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        yield Key(
            name=f"{prefix}{field.name}",
            type=_without_none(hint),
            default=default,
            help=meta.description,
            example=meta.extra["example"],
            source=meta.extra.get("source", ""),
            reach=meta.extra.get("reach", ""),
            is_read=meta.extra.get("is_read", False),
        )


def _is_section(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Section)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (types.UnionType, typing.Union):
        return hint
    left = [arg for arg in get_args(hint) if arg is not type(None)]
    return left[0] if len(left) == 1 else hint
