"""Regular expressions of PCRE, as nginx and httpd take them."""

from __future__ import annotations

import re

_PCRE = re.compile(r"\\\\|\\z|\\Z|\(\?<(?![=!])|\\.", re.DOTALL)
_PYTHON = {r"\z": r"\Z", r"\Z": r"(?=\n?\Z)", "(?<": "(?P<"}
"""PCRE's syntax that differs from Python's: the end of the text, the same or before a newline, a named group."""


def search(pattern: str, text: str, flags: int = 0) -> bool:
    """Like PCRE without UTF: over bytes."""
    return found(pattern, text, flags) is not None


def found(pattern: str, text: str, flags: int = 0) -> re.Match[bytes] | None:
    """The match itself, with its groups."""
    made = _PCRE.sub(lambda one: _PYTHON.get(one[0], one[0]), pattern)
    try:
        return re.search(_bytes(made), _bytes(text), flags)
    except re.error:
        return None  # PCRE syntax that Python lacks; the words say so


def groups(match: re.Match[bytes]) -> list[str]:
    """The whole match and its groups; empty for one that took no part."""
    return [(one or b"").decode("utf-8", "surrogateescape") for one in (match[0], *match.groups())]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
