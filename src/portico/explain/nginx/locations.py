"""Which location answers a path (ngx_http_core_find_location), and why the others do not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from portico.explain.nginx.families import PASSES
from portico.explain.node import Node
from portico.explain.pcre import search
from portico.explain.verdict import Lost


class Rule(NamedTuple):
    """The match of a location: `kind` is "=", "^~", "~", "~*", "@", "$" for a variable or "" for a plain prefix."""

    kind: str
    pattern: str


def rule(location: Node) -> Rule:
    """`location = /x` and `location =/x` are one."""
    words = list(location.args)
    if len(words) > 1 and words[0] in ("=", "^~", "~", "~*"):
        return Rule(words[0], words[1])
    word = words[0] if words else ""
    for kind in ("=", "^~", "~*", "~", "@", "$"):
        if word.startswith(kind):
            return Rule(kind, word if kind in ("@", "$") else word[len(kind) :])
    return Rule("", word)


Holds = Callable[[str], bool]
"""Whether a variable is neither empty nor "0" for a request."""


def find_location(server: Node, uri: str, holds: Holds = lambda _: False) -> tuple[Node | None, str]:
    """The location that answers, and the reason. `holds` decides for locations by a variable (nginx 1.31.5)."""
    found, how, _ = _find(server, uri, holds)
    return found, how or "no location matches: the server's own settings answer"


_FINAL, _PREFIX, _NONE = "final", "prefix", "none"


def _find(above: Node, uri: str, holds: Holds) -> tuple[Node | None, str, str]:
    """ngx_http_core_find_location: prefixes, what is nested in the longest, the patterns here, the variables here."""
    locations = above.all("location")
    found, how, end = _find_prefix(locations, uri)
    keeps_patterns_off = False
    if end == _PREFIX and found is not None:
        keeps_patterns_off = rule(found).kind == "^~"
        inner, inner_how, inner_end = _find(found, uri, holds)
        if inner is not None:
            found, how = inner, inner_how
        if inner_end == _FINAL:
            return found, how, _FINAL
    if end == _FINAL or keeps_patterns_off:
        return found, how, end
    for location in locations:
        wanted = rule(location)
        if wanted.kind in ("~", "~*") and _matches(wanted, uri):
            inner, inner_how, _ = _find(location, uri, holds)
            what = f"{wanted.kind} {wanted.pattern}"
            how = f"{what} is the first pattern that matches, and patterns come before plain prefixes"
            return (inner, inner_how, _FINAL) if inner is not None else (location, how, _FINAL)
    for location in locations:
        wanted = rule(location)
        if wanted.kind == "$" and holds(wanted.pattern):
            inner, inner_how, _ = _find(location, uri, holds)
            how = f"{wanted.pattern} holds, no pattern matches, and variables come before plain prefixes"
            return (inner, inner_how, _FINAL) if inner is not None else (location, how, _FINAL)
    return found, how, end


def _find_prefix(locations: list[Node], uri: str) -> tuple[Node | None, str, str]:
    rules = [(location, rule(location)) for location in locations]
    for location, wanted in rules:
        if wanted.kind == "=" and wanted.pattern == uri:
            return location, f"= {uri} is this path exactly: the search ends", _FINAL
    prefixes = [
        (len(w.pattern), loc) for loc, w in rules if w.kind in ("", "^~") and uri.startswith(w.pattern)
    ]
    equal = any(size == len(uri) for size, _ in prefixes)
    for location, wanted in rules:
        if (
            not equal
            and wanted.kind in ("", "^~", "=")
            and wanted.pattern == f"{uri}/"
            and location.first(*PASSES)
        ):
            return (
                location,
                f"nginx itself redirects {uri} to {wanted.pattern} (301), because a *_pass answers there",
                _FINAL,
            )
    if not prefixes:
        return None, "", _NONE
    _, found = max(prefixes, key=lambda pair: pair[0])
    wanted = rule(found)
    what = f"{wanted.kind} {wanted.pattern}".strip()
    if wanted.kind == "^~":
        return (
            found,
            f"{what} is the longest prefix that matches, and ^~ keeps patterns from being asked",
            _PREFIX,
        )
    return found, f"{what} is the longest prefix that matches, and no pattern does", _PREFIX


def _matches(wanted: Rule, uri: str) -> bool:
    return search(wanted.pattern, uri, re.I if wanted.kind == "~*" else 0)


def lost(above: Node, chosen: Node | None, uri: str, how: str, parent: str = "") -> Iterator[Lost]:
    for location in above.all("location"):
        wanted = rule(location)
        if location is not chosen:
            yield Lost(location, parent or _location_lost(location, wanted, chosen, uri, above))
        is_above = chosen is not None and any(node is chosen for node, _ in location.walk())
        reason = (
            "" if is_above or location is chosen else f"it stands inside {location.text}, which is not taken"
        )
        yield from lost(location, chosen, uri, how, parent or reason)


def _location_lost(location: Node, wanted: Rule, chosen: Node | None, uri: str, above: Node) -> str:
    won = rule(chosen) if chosen else Rule("", "")
    what = f"{won.kind} {won.pattern}".strip()
    if wanted.kind in ("@", "$"):
        return _nameless(wanted, won)
    if wanted.kind == "=":
        return f"is {wanted.pattern} exactly, and the path is {uri}"
    if wanted.kind in ("~", "~*"):
        if not _matches(wanted, uri):
            return "the pattern does not match"
        if won.kind == "=":
            return f"the pattern matches, but {what} is exact and ends the search"
        if won.kind in ("~", "~*"):
            return f"the pattern matches as well, but {what} comes first"
        return "the pattern matches, but ^~ keeps patterns from being asked"
    if not uri.startswith(wanted.pattern):
        return f"the path does not begin with {wanted.pattern}"
    if any(node is chosen for node, _ in location.walk()):
        return f"matches, and {what} inside it answers"
    if won.kind in ("~", "~*") and above.children and chosen in above.children:
        return f"the prefix matches, but the pattern {what} comes before prefixes without ^~"
    return f"the prefix matches, but {what} is {'exact' if won.kind == '=' else 'longer'}"


def _nameless(wanted: Rule, won: Rule) -> str:
    """For locations that no path leads to."""
    if wanted.kind == "@":
        return "has a name: only nginx itself sends requests there (error_page, try_files)"
    if won.kind in ("=", "^~", "~", "~*"):
        return f"{won.kind} {won.pattern} matches, and variables are asked after that"
    if won.kind == "$":
        return f"{won.pattern} holds and comes first, or {wanted.pattern} is empty or 0"
    return f"{wanted.pattern} is empty or 0 for this request, as far as its line says"
