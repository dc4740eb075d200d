"""The user's own nginx directives, parsed one by one, each with the line it was written on.

Text that cannot be parsed (a brace too many, Lua) stays unchanged: `nginx -t` judges it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from portico.site.own.model import Own

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+|\#[^\n]*)
    |(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<sign>[;{}])
    |(?P<word>(?!["'])(?:\\.|\$\{|[^ \t\r\n;{\\])+)""",
    re.VERBOSE | re.DOTALL,
)
"""As nginx reads its words (ngx_conf_read_token): no other white space than these four ends one."""
_ESCAPED = re.compile(r"\\([\"'\\trn])")
_LETTERS = {"t": "\t", "r": "\r", "n": "\n"}
"""What a backslash makes of these in any word; before others it stays."""
_FOREIGN = re.compile(r"_by_lua_block$|^(?:perl|js)_\w*block$")
"""Directives whose block is another language."""
_REST_OF_LINE = re.compile(r"[ \t]*(?:\#[^\n]*)?\n?")


class Word(NamedTuple):
    """One word of a directive, without its quotes, and where it stands in the text."""

    text: str
    start: int
    end: int


class Statement(NamedTuple):
    """One directive. `start` is the end of the one before, so that comments above belong to it; `block` is None for a
    simple directive.
    """

    words: tuple[Word, ...]
    start: int
    end: int
    block: tuple[Statement, ...] | None

    @property
    def name(self) -> str:
        return self.words[0].text

    @property
    def args(self) -> tuple[str, ...]:
        return tuple(word.text for word in self.words[1:])


class _UnreadableError(Exception):
    """The text is not valid nginx syntax, or contains another language."""


def own(text: str, causes: Sequence[str] = ()) -> tuple[Own, ...]:
    """The directives of a text; `causes` are the places of its lines."""
    found = statements(text)
    if found is None:
        return _whole(text, causes)
    made = [made for one in found for made in _own(text, one, causes)]
    rest = text[found[-1].end if found else 0 :]
    line = text[: len(text) - len(rest)].count("\n")
    return (*made, *_whole(rest, causes[line:]))


def statements(text: str) -> tuple[Statement, ...] | None:
    """The directives of a text in nginx's syntax; None where it has none."""
    try:
        found, _ = _statements(text, 0, is_top=True)
    except _UnreadableError:
        return None
    return found


def every(found: Iterable[Statement]) -> Iterator[Statement]:
    """Each directive and those in its block, in the order of the text."""
    for one in found:
        yield one
        yield from every(one.block or ())


def line_of(text: str, position: int) -> int:
    """The number of lines before that position."""
    return text.count("\n", 0, position)


def _own(text: str, one: Statement, causes: Sequence[str]) -> tuple[Own, ...]:
    start = one.start + len(text[one.start : one.end]) - len(text[one.start : one.end].lstrip("\n"))
    own_text = text[start : one.end].rstrip("\n")
    own_text = own_text if start == 0 or text[start - 1] == "\n" else own_text.lstrip(" \t")
    line = line_of(text, start)
    lines = tuple(causes[line : line + own_text.count("\n") + 1])
    return (Own(own_text, one.name, one.args, one.block is not None, lines, one.name == "location"),)


def _whole(text: str, causes: Sequence[str]) -> tuple[Own, ...]:
    return (Own(text.rstrip("\n"), causes=tuple(causes)),) if text.strip() else ()


def _statements(text: str, position: int, *, is_top: bool) -> tuple[tuple[Statement, ...], int]:
    found: list[Statement] = []
    words: list[Word] = []
    start = position
    while match := _TOKEN.match(text, position):
        position = match.end()
        if match.lastgroup == "blank":
            continue
        if match.lastgroup != "sign":
            words.append(_word(match))
            continue
        if match[0] == "}":
            if words or is_top:
                raise _UnreadableError
            return tuple(found), position
        if not words or (match[0] == "{" and _FOREIGN.search(words[0].text)):
            raise _UnreadableError
        inner = None
        if match[0] == "{":
            inner, position = _statements(text, position, is_top=False)
        rest = _REST_OF_LINE.match(text, position)
        position = (
            rest.end() if (rest and "\n" in rest[0]) or (rest and rest.end() == len(text)) else position
        )
        found.append(Statement(tuple(words), start, position, inner))
        words, start = [], position
    if words or not is_top or position < len(text):
        raise _UnreadableError
    return tuple(found), position


def _word(match: re.Match[str]) -> Word:
    text = match[0][1:-1] if match.lastgroup == "quoted" else match[0]
    return Word(unescaped(text), match.start(), match.end())


def unescaped(text: str) -> str:
    """A word as nginx takes it, of the text that stands between its quotes."""
    return _ESCAPED.sub(lambda found: _LETTERS.get(found[1], found[1]), text) if "\\" in text else text
