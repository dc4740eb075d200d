"""Which published faults are open in a build of nginx, and which of them a configuration uses.

A distribution's package is judged by its changelog and version, not by nginx's number: it contains backported
fixes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from portico.place.model import Build
from portico.plan.gateway.faults import Advisory, Hole
from portico.plan.gateway.nginx.security.advisories import ADVISORIES
from portico.plan.gateway.nginx.security.versions import is_fixed
from portico.plan.gateway.nginx.syntax import Directive

_TABLES = ("map", "geo", "split_clients", "types", "match")
"""Blocks whose lines are not directives."""
_CAPTURE = re.compile(r"\$\{?\d")
_WORDS = re.compile(r"#[^\n]*|\"(?:\\.|[^\"])*\"|'(?:\\.|[^'])*'|[;{}]|[^\s;{}\"']+")
_INCLUDE = "?include"
"""Stands for an include of the user's: what it adds is not known."""
_ELSEWHERE = ("mail", "stream")
"""Blocks that a file included below `http` cannot add."""


def open_in(build: Build) -> tuple[Advisory, ...]:
    """The advisories that this build has no known fix for."""
    return tuple(one for one in ADVISORIES if _is_open(one, build))


def holes(build: Build, tree: Iterable[Directive]) -> tuple[Hole, ...]:
    """The open advisories of the build, and whether this configuration uses each."""
    found = open_in(build)
    if not found:
        return ()
    names = frozenset(need.split()[0] for one in found for way in one.needs for need in way.split(" + "))
    scopes = [_by_name(scope) for scope in frozenset(_below(tree, names | {_INCLUDE}, frozenset()))]
    return tuple(Hole(one, _uses(one, scopes)) for one in found)


def http2_hole(build: Build) -> Advisory | None:
    """The severe fault of the build that HTTP/2 exposes, None for a build without one."""
    return next((one for one in open_in(build) if one.severity == "major" and "http2 on" in one.needs), None)


def _is_open(one: Advisory, build: Build) -> bool:
    if build.version < one.since or _has_fix(build.version, one.fixed):
        return False
    package = build.package
    if package is None:
        return True
    if one.id in package.fixes:
        return False
    return not (package.manager == "dpkg" and one.debian and is_fixed(package.version, one.debian))


def _has_fix(version: tuple[int, ...], fixed: tuple[tuple[int, ...], ...]) -> bool:
    """Whether it is newer than the newest branch's fix, or than that of its own branch."""
    return version >= max(fixed) or any(version[:2] == one[:2] and version >= one for one in fixed)


_Head = tuple[str, ...]
_Scope = frozenset[_Head]
_ByName = dict[str, list[_Head]]
"""The arguments of each directive in effect in a block, by its name."""


def _below(tree: Iterable[Directive], names: frozenset[str], around: _Scope) -> Iterator[_Scope]:
    """For each block, those directives in effect there that have one of the names: its own and those around it."""
    tree = tuple(tree)
    heads = frozenset(head for item in tree for head in _heads(item) if head[0] in names)
    here = around | heads if heads else around
    yield here
    for item in tree:
        if item.block and item.name not in _TABLES:
            yield from _below(item.block, names, here)


def _heads(item: Directive) -> Iterator[_Head]:
    if item.verbatim is not None:
        yield from _users(item.verbatim)
        return
    rows = (item.block or ()) if item.name in _TABLES else ()
    yield (item.name, *item.args)
    if any(_CAPTURE.search(word) for one in (item, *rows) for word in one.args):
        yield ("$captures",)


def _users(text: str) -> Iterator[_Head]:
    """The directives of the user's own lines, with blocks and their content."""
    words: list[str] = []
    for word in _WORDS.findall(text):
        if word.startswith("#"):
            continue
        if word not in ("{", "}", ";"):
            words.append(word.strip("\"'"))
            continue
        if words:
            yield (_INCLUDE,) if words[0] == "include" else tuple(words)
            if any(map(_CAPTURE.search, words)):
                yield ("$captures",)
        words = []


def _by_name(scope: _Scope) -> _ByName:
    found = _ByName()
    for name, *args in scope:
        found.setdefault(name, []).append(tuple(args))
    return found


def _uses(one: Advisory, scopes: Iterable[_ByName]) -> bool:
    """Whether a configuration has what the advisory needs; in doubt it has."""
    if not one.needs:
        return True
    wanted = [[need.split() for need in way.split(" + ")] for way in one.needs]
    can_be_included = one.needs[0] not in _ELSEWHERE
    return any(
        (can_be_included and _INCLUDE in scope)
        or any(all(_has(scope, need) for need in way) for way in wanted)
        for scope in scopes
    )


def _has(scope: _ByName, need: list[str]) -> bool:
    name, *words = need
    return any(all(_among(word, args) for word in words) for args in scope.get(name, ()))


def _among(word: str, args: _Head) -> bool:
    if word.endswith("*"):
        return any(arg.startswith(word[:-1]) for arg in args)
    return word in args
