"""The answers that a gateway keeps, whichever it is, and which of them are meant."""

from __future__ import annotations

import posixpath
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portico.errors import PorticoError, Problem


@dataclass(frozen=True)
class CacheEntry:
    """One kept answer. `began` is the Unix time at which its request reached the app, at the latest."""

    path: Path
    scheme: str
    host: str
    uri: str
    tags: frozenset[str]
    began: float


Meant = Callable[[CacheEntry], bool]


def meant(what: str) -> Meant:
    """Whether an answer is meant by `what`: a URL or path, the beginning of many with `*` at its end, or a tag.

    A path without a query means all its queries. Raises PorticoError for what is none of these.
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
    """A path as the gateway and the app understand it: decoded, without `.` and `..`, one slash at its beginning.

    What is behind `?` is left alone.
    """
    bare, mark, query = path.partition("?")
    text = urllib.parse.unquote(bare, errors="surrogateescape")
    text = re.sub("^//+", "/", text)  # Werkzeug's reading
    if "/." in text:
        ends = "/" if text.endswith(("/", "/.", "/..")) else ""
        text = posixpath.normpath(text).rstrip("/") + ends or "/"
    return text + mark + query
