"""An nginx configuration as nginx itself reads it: the rules of `ngx_conf_read_token`, and nothing of Portico's."""

from __future__ import annotations

import re
from typing import NamedTuple

_SPACE = b" \t\r\n"
_BLANK = re.compile(rb"(?:[ \t\r\n]+|#[^\n]*)*")
_PLAIN = re.compile(rb"((?:\\.|\$\{|[^\\ \t\r\n;{])+)", re.DOTALL)
_WORDS = {
    ord(quote): re.compile(rb"%b((?:\\.|[^\\%b])*)%b" % ((quote.encode(),) * 3), re.DOTALL) for quote in "\"'"
}
_ESCAPED = re.compile(rb"\\([\"'\\trn])")
_LETTERS = {b"t": b"\t", b"r": b"\r", b"n": b"\n"}
_MOST = 4095
"""Bytes of a word."""


class Read(NamedTuple):
    """One directive and its block; None for a simple one."""

    words: tuple[bytes, ...]
    block: tuple[Read, ...] | None


class UnreadableError(Exception):
    """nginx would refuse the text."""


def read(text: bytes) -> tuple[Read, ...]:
    """The directives of a configuration. Raises UnreadableError."""
    found, position = _block(text, 0, is_top=True)
    assert position == len(text)
    return found


def _block(text: bytes, position: int, *, is_top: bool) -> tuple[tuple[Read, ...], int]:
    found, words = list[Read](), list[bytes]()
    while True:
        position = _skipped(text, position)
        if position == len(text):
            if words or not is_top:
                raise UnreadableError("the end is not expected")
            return tuple(found), position
        sign = text[position : position + 1]
        if sign in (b";", b"{"):
            if not words:
                raise UnreadableError(f"unexpected {sign!r}")
            block, position = (
                (None, position + 1) if sign == b";" else _block(text, position + 1, is_top=False)
            )
            found.append(Read(tuple(words), block))
            words = []
        elif sign == b"}" and not words:
            if is_top:
                raise UnreadableError("a brace too many")
            return tuple(found), position + 1
        elif sign == b"}":
            raise UnreadableError("a brace behind words")
        else:
            word, position = _word(text, position)
            words.append(word)


def _skipped(text: bytes, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _word(text: bytes, position: int) -> tuple[bytes, int]:
    pattern = _WORDS.get(text[position], _PLAIN)
    found = pattern.match(text, position)
    if found is None or found.end() == len(text):
        raise UnreadableError("the end is not expected")
    word = _unescaped(found[1])
    return word, found.end() if pattern is _PLAIN else _after(text, found.end())


def _after(text: bytes, position: int) -> int:
    """Behind a quoted word."""
    if position < len(text) and text[position] not in _SPACE + b";{)":
        raise UnreadableError(f"unexpected {text[position : position + 1]!r} behind a quoted word")
    return position


def _unescaped(word: bytes) -> bytes:
    if len(word) > _MOST:
        raise UnreadableError("too long a word")
    if b"\0" in word:
        raise UnreadableError("a word ends at its first NUL")
    return _ESCAPED.sub(lambda found: _LETTERS.get(found[1], found[1]), word)
