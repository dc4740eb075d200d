"""Entries of Django's urls.py as patterns of whole paths that match exactly what Django's resolvers match.

Django searches with an entry's regular expression. An include continues with the text after the match, and never
tries another match; a view only needs some match, unless its expression ends with `$`.
"""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.urls import URLPattern, URLResolver
from django.urls.resolvers import LocalePrefixPattern

from portico.site.pattern import ANYTHING, escape, is_fixed, without_names

_SOMEWHERE = "(?s:.*?)"
"""The text before the first match of an expression without ^."""
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_FLAGS = re.compile(r"\(\?([is]+)\)")
_UNTOLD = re.compile(r"\(\?(?:P=|\(|[a-zA-Z]*[aLmux])")
"""References to a group, conditions, and flags that nginx does not support or that change the meaning of ^ and `.`."""
_ANCHORS = frozenset({"^", "$", r"\A", r"\Z", *(f"\\{n}" for n in range(1, 10))})


class UntoldError(ValueError):
    """The entry has no exact pattern."""


@dataclass(frozen=True)
class _Branch:
    """One alternative of an expression (between `|`), without its anchors."""

    text: str
    at_begin: bool
    at_end: str
    """`$`, `\\Z` or nothing."""


def pattern(entry: URLPattern | URLResolver) -> str:
    """The pattern of an entry, given those of the includes around it. Raises UntoldError."""
    if isinstance(entry.pattern, LocalePrefixPattern):
        return _languages(entry.pattern)
    text = str(entry.pattern.regex.pattern)
    is_view = isinstance(entry, URLPattern)
    found = _FLAGS.match(text)
    flags, text = (found[1], text[found.end() :]) if found else ("", text)
    if _UNTOLD.search(text):
        raise UntoldError(text)
    is_whole = is_view and text.endswith("$")
    made = [_of_branch(branch, is_view=is_view, is_whole=is_whole) for branch in _branches(text)]
    joined = made[0] if len(made) == 1 else f"(?:{'|'.join(made)})"
    joined = without_names(f"(?{flags}:{joined})" if flags else joined)
    return joined if is_view or is_fixed(joined) else f"(?>{joined})"


def _of_branch(branch: _Branch, *, is_view: bool, is_whole: bool) -> str:
    if is_whole:
        return branch.text
    begin = "" if branch.at_begin else ANYTHING if is_view else _SOMEWHERE
    if branch.at_end == "$" and not is_view:
        raise UntoldError(branch.text)  # nothing can follow this include
    end = {"$": r"\n?", r"\Z": ""}.get(branch.at_end, ANYTHING if is_view else "")
    return begin + branch.text + end


def _branches(text: str) -> Iterator[_Branch]:
    """Raises UntoldError for an anchor that is not at the start or the end."""
    for pieces in _split(_TOKEN.findall(text)):
        at_begin = pieces[:1] in (["^"], [r"\A"])
        at_end = pieces[-1] if len(pieces) > at_begin and pieces[-1] in ("$", r"\Z") else ""
        pieces = pieces[at_begin : len(pieces) - bool(at_end)]
        if _ANCHORS & set(pieces):
            raise UntoldError(text)
        yield _Branch("".join(pieces), at_begin, at_end)


def _split(pieces: list[str]) -> Iterator[list[str]]:
    """The parts between `|` that are in no group."""
    depth, found = 0, list[str]()
    for piece in pieces:
        depth += (piece == "(") - (piece == ")")
        if piece == "|" and not depth:
            yield found
            found = []
        else:
            found.append(piece)
    yield found


def _languages(prefix: LocalePrefixPattern) -> str:
    """i18n_patterns: the active language is one of the project's, and the default one may have no prefix."""
    made = [escape(f"{code}/") for code, _ in settings.LANGUAGES]
    if not prefix.prefix_default_language:
        made.append("")
    return f"(?:{'|'.join(made)})"
