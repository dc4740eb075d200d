"""A sentence for each directive: what it does, its default, and what is missing without it."""

from __future__ import annotations

from portico.explain.language import Words
from portico.explain.nginx.families import LINKS as LINKS_TO_APPS
from portico.explain.nginx.words.http import HTTP
from portico.explain.nginx.words.links import LINKS
from portico.explain.nginx.words.others import OTHERS
from portico.explain.nginx.words.traffic import TRAFFIC

FAMILIES = (*LINKS_TO_APPS, "tunnel")
_OWN = {**OTHERS, **TRAFFIC, **HTTP}
TABLES = ("map", "geo", "types", "split_clients", "charset_map")
"""Blocks whose lines are rows of a table, not directives."""


def words(name: str, above: str = "") -> Words | None:
    """The words for a directive in a block of the name `above`; None for an undescribed one."""
    if above in TABLES and name not in ("default", "hostnames", "volatile", "include"):
        return Words(
            "none", "a row of the table above: this key gives that value", "the key gets the default"
        )
    family, _, rest = name.partition("_")
    if family in FAMILIES and rest in LINKS:
        return Words(*LINKS[rest])
    return Words(*_OWN[name]) if name in _OWN else None
