"""The lines of an array's entries in a valid TOML file; tomllib does not report them."""

from __future__ import annotations

import re

_PIECE = re.compile(
    r'(?P<long>"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\')'
    r"|(?P<short>\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*')"
    r"|(?P<other>\#[^\n]*|[^\]\"'\#]+)"
    r"|(?P<end>\])",
    re.DOTALL,
)


def entry_lines(text: str, line: int) -> list[list[int]]:
    """For each string of the array whose key is on that line (from 1): the line numbers of its own lines. Empty if
    there is no array of strings.
    """
    start = sum(map(len, text.splitlines(keepends=True)[: line - 1]))
    position = text.find("[", text.find("=", start)) + 1
    found: list[list[int]] = []
    while position and (piece := _PIECE.match(text, position)) and piece.lastgroup != "end":
        first = text.count("\n", 0, piece.start()) + 1
        if piece.lastgroup == "short":
            found.append([first])
        elif piece.lastgroup == "long":
            inner = piece[0][3:-3]
            first += inner.startswith("\n")
            found.append([first + number for number in range(inner.removeprefix("\n").count("\n") + 1)])
        position = piece.end()
    return found
