"""Regular expressions in nginx's dialect."""

from __future__ import annotations

import re

_PCRE = re.compile(r"\\\\|\\z|\\Z|\(\?<(?![=!])|\\.", re.DOTALL)
_PYTHON = {r"\z": r"\Z", r"\Z": r"(?=\n?\Z)", "(?<": "(?P<"}
"""PCRE's syntax that differs from Python's: the end of the text, the same or before a newline, a named group."""


def search(pattern: str, text: str, flags: int = 0) -> bool:
    """Like PCRE without UTF: over bytes."""
    made = _PCRE.sub(lambda found: _PYTHON.get(found[0], found[0]), pattern)
    try:
        return re.search(_bytes(made), _bytes(text), flags) is not None
    except re.error:
        return False  # PCRE syntax that Python lacks; the words say so


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
