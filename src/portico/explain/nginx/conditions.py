"""Which `if` of a location is true for a request, as far as method and path decide: maps are evaluated as in nginx."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from portico.explain.language import Left
from portico.explain.node import Node
from portico.explain.pcre import search
from portico.explain.verdict import Asked, Verdict

_VARIABLE = re.compile(r"\$\{?([a-z0-9_]+)\}?")
_WORDS = ("default", "hostnames", "include", "volatile")
_MOST_STEPS = 4
"""The limit of internal redirects; a loop is not this module's concern."""


def ends(root: Node, asked: Asked, found: Verdict) -> list[Left]:
    """What takes the request out of its location before that answers."""
    http = next((one for one in root.all("http") if found.server in (one.children or ())), root)
    if found.location is None:
        return []
    return list(_left(http, found.server, found.location, known_of(asked, found.uri)))


def known_of(asked: Asked, uri: str) -> dict[str, str]:
    """The variables that the request line decides."""
    return {
        "request_method": asked.method, "uri": uri, "document_uri": uri, "scheme": asked.scheme, "host": asked.host,
        "request_uri": asked.target, "args": asked.target.partition("?")[2],
    } | _arguments(asked.target.partition("?")[2])  # fmt: skip


def _arguments(query: str) -> dict[str, str]:
    """`$arg_name`: the first of each name, as sent."""
    pairs = [part.partition("=") for part in query.split("&") if "=" in part]
    return {f"arg_{name.lower()}": text for name, _, text in reversed(pairs) if name}


def _left(http: Node, server: Node, location: Node, known: Mapping[str, str]) -> Iterator[Left]:
    """Every `if` that takes the request out of this location, and of its targets in turn."""
    for _ in range(_MOST_STEPS):
        found = next(_holding(http, location, known), None)
        if found is None:
            return
        condition, answer = found
        target = _target(server, location, answer)
        yield Left(condition, answer, target)
        if target is None:
            return
        location = target


def _holding(http: Node, location: Node, known: Mapping[str, str]) -> Iterator[tuple[Node, Node]]:
    for condition in location.all("if"):
        answer = condition.first("return")
        if answer is not None and _holds(http, condition, known):
            yield condition, answer


def _holds(http: Node, condition: Node, known: Mapping[str, str]) -> bool:
    words = " ".join(condition.args).removeprefix("(").removesuffix(")").split()
    if len(words) not in (1, 3) or not words[0].startswith("$"):
        return False
    found = value(http, words[0], known)
    if found is None:
        return False
    if len(words) == 1:
        return found not in ("", "0")
    return {"=": found == words[2], "!=": found != words[2]}.get(words[1], False)


def _target(server: Node, location: Node, answer: Node) -> Node | None:
    """The named location of an error_page of this level for that status."""
    status = answer.args[0]
    for level in (location, server):
        pages = level.all("error_page")
        for page in pages:
            if status in page.args[:-1] and page.args[-1].startswith("@"):
                name = _VARIABLE.sub("", page.args[-1])
                return next((one for one in server.all("location") if one.args[:1] == (name,)), None)
        if pages:
            return None
    return None


def value(http: Node, text: str, known: Mapping[str, str], depth: int = 0) -> str | None:
    """A text with its variables filled in; None if one of them is unknown. A request here has no headers."""
    parts = _VARIABLE.split(text)
    for at in range(1, len(parts), 2):
        found = _variable(http, parts[at], known, depth)
        if found is None:
            return None
        parts[at] = found
    return "".join(parts)


def _variable(http: Node, name: str, known: Mapping[str, str], depth: int) -> str | None:
    if name in known:
        return known[name]
    if name.startswith(("http_", "arg_", "cookie_")):
        return ""
    table = next((one for one in http.all("map") if one.args[1:] == (f"${name}",)), None)
    if table is None or depth > _MOST_STEPS:
        return None
    source = value(http, table.args[0], known, depth + 1)
    return None if source is None else value(http, _row(table, source), known, depth + 1)


def _row(table: Node, source: str) -> str:
    """Strings of a map come before its expressions, and are case-insensitive."""
    rows = [
        (row.name, row.args[0]) for row in table.children or () if row.args and row.name not in _WORDS[1:]
    ]
    for key, found in rows:
        if not key.startswith("~") and key != _WORDS[0] and key.removeprefix("\\").lower() == source.lower():
            return found
    for key, found in rows:
        is_loose = key.startswith("~*")
        if key.startswith("~") and search(key.lstrip("~").removeprefix("*"), source, re.I if is_loose else 0):
            return found
    return next((found for key, found in rows if key == _WORDS[0]), "")
