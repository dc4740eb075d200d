"""Whether two patterns may match one path, judged by their segments: the parts between slashes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from portico.site.pattern import head, is_fixed

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-z>:]+|.", re.DOTALL)
_TAKES_SLASH = frozenset({".", r"\D", r"\W", r"\S"})


def may_meet(first: str, second: str) -> bool:
    """False only where it is certain that no path matches both."""
    one, other = _segments(first), _segments(second)
    for left, right in zip(one, other, strict=False):
        if left is None or right is None:
            return True
        if not _may_be_one(left, right):
            return False
    return len(one) == len(other) or None in one[-1:] + other[-1:]


def _may_be_one(left: str, right: str) -> bool:
    for one, other in ((left, right), (right, left)):
        if texts := _texts(one):
            return any(re.fullmatch(other, text) for text in texts)
    return True


def _texts(segment: str) -> list[str]:
    """All that it matches, if that is one text, perhaps with a newline behind it."""
    plain = segment.removesuffix(r"\n?")
    if not is_fixed(plain):
        return []
    return [head(plain)] if plain == segment else [head(plain), f"{head(plain)}\n"]


@lru_cache(4096)
def _segments(regex: str) -> tuple[str | None, ...]:
    """The segments; None stands for any rest, with slashes."""
    made, depth, text = list[str | None](), 0, ""
    tokens = _TOKEN.findall(regex)
    for number, piece in enumerate(tokens):
        depth += piece.startswith("(") - (piece == ")")
        if piece == "/" and not depth and not _is_repeated(tokens, number):
            made.append(text)
            text = ""
        elif piece == "/" or _takes_slash(piece):
            return (*made, None)
        else:
            text += piece
    return (*made, text)


def _is_repeated(tokens: Sequence[str], number: int) -> bool:
    return "".join(tokens[number + 1 : number + 2]) in ("?", "*", "+", "{")


def _takes_slash(piece: str) -> bool:
    if not piece.startswith("["):
        return piece in _TAKES_SLASH
    try:
        return re.fullmatch(piece, "/") is not None
    except re.error:
        return True
