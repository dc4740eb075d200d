"""A location that stays as it is: with what it inherited, and with what it names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from portico.explain.nginx.adopt.passes import target_of, upstreams_in
from portico.explain.nginx.adopt.work import Work
from portico.explain.nginx.families import LINKS, PASSES
from portico.explain.node import Node

_ALWAYS = ("client_max_body_size", "auth_basic", "auth_basic_user_file", "allow", "deny", "satisfy", "auth_request",
           "limit_req", "limit_conn", "limit_rate", "expires")  # fmt: skip
_TOGETHER = dict.fromkeys(("allow", "deny"), ("allow", "deny"))
"""Directives that a block has all from one level: their order counts."""
_FOR_FILES = ("root", "index", "autoindex", "etag")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")
_ZONE = re.compile(r"(?:limit_req\s.*?zone=|limit_conn\s+|(?:proxy|uwsgi|fastcgi)_cache\s+)([\w.-]+)")
_NAMED = re.compile(r"@[\w.-]+")
_TABLES = ("map", "geo", "split_clients")
_SPOOFED = "$proxy_add_x_forwarded_for"


def keep_location(work: Work, location: Node) -> None:
    """The location verbatim in the site's server, and what it needs beside it."""
    root = work.view.above[0]
    target = target_of(location, root)
    made = _told_truly(work, _quiet(_with_inherited(work, location)))
    passes = target.servers if target is not None else ()
    work.seen.add(location)
    work.keep(made, passes=passes)
    _needs(work, made)


def _with_inherited(work: Work, location: Node) -> Node:
    """The location with the directives that it has from the blocks around it: Portico's server has others."""
    inner = list(location.children or ())
    family = next((name.removesuffix("_pass") for name in PASSES if location.first(name)), "")
    names = [*_ALWAYS]
    if family in LINKS:
        around = (work.view.node, *work.view.above)
        names += [
            one.name
            for level in around
            for one in level.children or ()
            if one.name.startswith(f"{family}_") and one.children is None
        ]
    if not family and not location.first("return", "alias"):
        names += _FOR_FILES
    for name in dict.fromkeys(names):
        if location.first(*_TOGETHER.get(name, (name,))) is None and not name.endswith("_cache_path"):
            inner += work.view.inherited(name, location) if name not in _TOGETHER else []
    if location.first("allow", "deny") is None:
        inner += _networks(work, location)
    return replace(location, children=tuple(inner))


def _networks(work: Work, location: Node) -> list[Node]:
    """The lines about networks in force around a location, in their order."""
    view = work.view
    around = [view.main] if view.main is not None and location in view.main.all("location") else []
    for level in (*around, view.node, *reversed(view.above)):
        if found := [one for one in level.children or () if one.name in _TOGETHER]:
            return found
    return []


def _quiet(location: Node) -> Node:
    """Without log files of its own, which nginx may not be able to write."""
    kept = [
        one
        for one in location.children or ()
        if one.name not in ("access_log", "error_log") or one.args == ("off",)
    ]
    return replace(location, children=tuple(_quiet(one) if one.children is not None else one for one in kept))


def _told_truly(work: Work, node: Node) -> Node:
    """With the client's address as nginx saw it, instead of what the client wrote before it."""
    if node.children is not None:
        return replace(node, children=tuple(_told_truly(work, one) for one in node.children))
    if _SPOOFED not in node.args:
        return node
    work.improved(node, "it begins with what the client wrote: $remote_addr in its place")
    return replace(node, args=tuple("$remote_addr" if word == _SPOOFED else word for word in node.args))


def _needs(work: Work, node: Node) -> None:
    """Maps, zones, upstreams and named locations that the kept lines name."""
    root, http = work.view.above[0], work.view.above[-1]
    for upstream in upstreams_in((node,), root):
        work.keep(upstream, is_above=True)
    text = "\n".join(one.text for one in (node, *(inner for inner, _ in node.walk())))
    keep_tables(work, text)
    for name in _NAMED.findall(text):
        found = next((one for one in work.view.node.all("location") if one.args == (name,)), None)
        if found is not None and found not in work.seen:
            keep_location(work, found)
    for one in http.children or ():
        zone = next((word.partition("=")[2].partition(":")[0] for word in one.args if "zone=" in word), "")
        if zone and zone in _ZONE.findall(text):
            work.keep(one, is_above=True)


def keep_tables(work: Work, text: str) -> None:
    """The maps and `set` lines of the variables in a text, and those that these name in turn."""
    http = work.view.above[-1]
    for name in dict.fromkeys(_VARIABLE.findall(text)):
        tables = [
            one for one in http.children or () if one.name in _TABLES and one.args[-1:] == (f"${name}",)
        ]
        for table in tables:
            if table not in work.seen:
                work.keep(table, is_above=True)
                keep_tables(work, "\n".join([table.text, *(row.text for row in table.children or ())]))
        for one in work.view.node.all("set"):
            if one.args[:1] == (f"${name}",) and one not in work.seen:
                work.keep(one)
                keep_tables(work, one.text)


def keep_used(work: Work, kept: Iterable[str]) -> None:
    """What lines that were kept one by one name."""
    text = "\n".join(kept)
    keep_tables(work, text)
    for one in work.view.above[-1].children or ():
        zone = next((word.partition("=")[2].partition(":")[0] for word in one.args if "zone=" in word), "")
        if zone and zone in _ZONE.findall(text):
            work.keep(one, is_above=True)
