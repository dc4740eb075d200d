"""Which routes are asked: those that were named, the most frequent ones of the log, or those of the app. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from portico.errors import Problem, UsageError
from portico.log.request import Request
from portico.measure.model import MIX, Part, Route
from portico.site.facts import AppFacts

MOST = 2
"""Of routes that Portico chooses itself."""
_CANDIDATES = 12
"""Routes of the app that are tried until enough of them answer."""
_CHANGES = re.compile(
    r"log[-_]?(out|off)|sign[-_]?out|delete|remove|reset|purge|unsubscribe|confirm|cancel", re.I
)
"""A GET of such a name may do what it says."""
_HAS_ARGUMENTS = re.compile(r"[<>{}*:()\\^$?]")
_OF_FRAMEWORKS = ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect")
"""FastAPI's own."""
_OK = range(200, 300)
_SAMPLE = 40
"""Requests of the mix. Each contender is asked for every path of it before and after a load."""
_TIMED_OUT = 504


def named(words: Iterable[str]) -> list[Route]:
    """Raises UsageError for a word that is no path."""
    found = list[Route]()
    for word in words:
        if not word.startswith("/") or any(char.isspace() for char in word):
            hint = "expected a path, such as /items?page=2"
            raise UsageError(Problem("--route", f'"{word}" is not a path', hint))
        found.append(Route(word, "--route"))
    return found


def of_log(requests: Iterable[Request]) -> list[Route]:
    """The paths that were asked for most and reached the app, with their shares of all such requests. A path is asked
    as it was last, with its query.
    """
    counts, last = Counter[str](), dict[str, str]()
    for one in _read(requests):
        counts[one.path] += 1
        last[one.path] = one.uri
    whole = counts.total()
    return [Route(last[path], "the log", count / whole) for path, count in counts.most_common(MOST)]


def mix_of_log(requests: Iterable[Request]) -> list[Route]:
    """The same requests as one load: an evenly spaced sample of them, ordered by path, so that a path that is asked
    often has its share, and of a thousand that are asked once each (/items/1, /items/2, ...) some stand for all. None
    if all ask for the same.
    """
    found = sorted(one.uri for one in _read(requests))
    size = min(_SAMPLE, len(found))
    taken = Counter(found[(2 * number + 1) * len(found) // (2 * size)] for number in range(size))
    if len(taken) < 2:
        return []
    parts = tuple(Part(path, times) for path, times in taken.most_common())
    return [Route(MIX, f"{size} of {len(found):,} requests of the log, evenly spaced", mix=parts)]


def _read(requests: Iterable[Request]) -> Iterator[Request]:
    """Those that the app answered, and that may be asked again. HEAD counts as GET: for the app it is one, and wrk
    waits for the body that it does not have.
    """
    for one in requests:
        if (
            one.method in ("GET", "HEAD")
            and _is_askable(one.uri)
            and one.status in _OK
            and not one.is_by_gateway
        ):
            yield one


def _is_askable(uri: str) -> bool:
    """A client may have sent any bytes."""
    is_plain = uri.isascii() and uri.isprintable() and " " not in uri
    return uri.startswith("/") and is_plain and is_harmless(uri)


def timed_out(requests: Iterable[Request]) -> list[Route]:
    """The path that most often got 504, as it was asked last; none if no request did."""
    counts, last = Counter[str](), dict[str, str]()
    for one in requests:
        if one.method == "GET" and _is_askable(one.uri) and one.status == _TIMED_OUT:
            counts[one.path] += 1
            last[one.path] = one.uri
    return [Route(last[path], "the log", status=_TIMED_OUT) for path, _ in counts.most_common(1)]


def of_app(facts: AppFacts, mount: str = "") -> list[Route]:
    """Candidates: the app's GET routes without arguments, the shortest first."""
    prefix = mount.rstrip("/")
    static = tuple(folder.url for folder in facts.static)
    known = [(one.rule, one.methods) for one in facts.routes if not one.websocket]
    known += [(one.rule, one.methods) for one in (facts.unrouted.rules if facts.unrouted else ())]
    sockets = {one.rule for one in facts.routes if one.websocket}
    rules = {
        rule
        for rule, methods in known
        if (not methods or "GET" in methods)
        and rule.startswith("/")
        and not _HAS_ARGUMENTS.search(rule)
        and not (static and f"{rule}/".startswith(static))
        and rule not in sockets
        and rule not in _OF_FRAMEWORKS
        and is_harmless(rule)
    }
    if not known:
        rules = {"/"}
    ordered = sorted(rules, key=lambda rule: (rule.count("/"), len(rule), rule))
    return [Route(prefix + rule, "the app's routes") for rule in ordered[:_CANDIDATES]]


def is_harmless(path: str) -> bool:
    return not _CHANGES.search(path.partition("?")[0])
