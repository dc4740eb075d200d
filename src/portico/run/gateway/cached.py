"""The cached answers of a gateway of any kind, and how to select them."""

from __future__ import annotations

import posixpath
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from portico.errors import PorticoError, Problem


class CacheEntry(Struct, frozen=True):
    """One cached answer. `began` is the latest Unix time at which its request reached the app."""

    path: Path
    scheme: str
    host: str
    uri: str
    tags: frozenset[str]
    began: float


Meant = Callable[[CacheEntry], bool]


def meant(what: str) -> Meant:
    """Whether `what` selects an answer: it is a URL or path, a prefix with `*` at its end, or a tag.

    A path without a query selects all its queries. Raises PorticoError for anything else.
    """
    if re.match(r"https?://", what, re.IGNORECASE):
        scheme, _, rest = what.partition("://")
        host, slash, path = rest.partition("/")
        is_path, site = _path(slash + path or "/"), (scheme.lower(), host.lower())
        return lambda entry: (entry.scheme, entry.host) == site and is_path(entry)
    if what.startswith("/"):
        return _path(what)
    if not re.fullmatch(r"[^\s,*/]+", what):
        hint = 'expected a path like /news/1, many like "/news/*", a URL, or a tag'
        raise PorticoError(Problem("", f'"{what}" names nothing that nginx could have cached', hint))
    return lambda entry: what in entry.tags


def _path(what: str) -> Meant:
    if what.endswith("*"):
        beginning = normal(what[:-1])
        return lambda entry: normal(entry.uri).startswith(beginning)
    path, mark, query = what.partition("?")
    path = normal(path)

    def is_meant(entry: CacheEntry) -> bool:
        own, _, own_query = entry.uri.partition("?")
        return normal(own) == path and (not mark or own_query == query)

    return is_meant


def normal(path: str) -> str:
    """A path as the gateway and the app read it: decoded, without `.` and `..`, with one slash at its beginning.

    The query after `?` stays unchanged.
    """
    bare, mark, query = path.partition("?")
    text = urllib.parse.unquote(bare, errors="surrogateescape")
    text = re.sub("^//+", "/", text)  # as Werkzeug reads it
    if "/." in text:
        ends = "/" if text.endswith(("/", "/.", "/..")) else ""
        text = posixpath.normpath(text).rstrip("/") + ends or "/"
    return text + mark + query
