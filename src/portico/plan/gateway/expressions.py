"""Many patterns of paths as few expressions, made as a tree of what they begin with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from portico.plan.web.allow_list import Allowed
from portico.plan.web.wide import ANYTHING, Piece, Pieces

MOST_OF_A_WORD = 3800
"""nginx reads no word of a configuration that is longer than 4 096 bytes."""
_MOST_PIECES = 300
"""The most parts of one path that are compared; anything may follow them."""
_SINGLE = (Piece("(?!.*//)"),)

Measure = Callable[[str], int]
"""The bytes of a text in a word of the configuration."""


@lru_cache(64)
def by_methods(allowed: tuple[Allowed, ...], size: Measure) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Expressions for whole paths and the methods that are accepted there (none: any), those that name methods first:
    the first that matches counts.
    """
    groups: dict[tuple[str, ...], list[Pieces]] = {}
    for one in allowed:
        groups.setdefault(one.methods, []).append(
            (*_SINGLE, *one.paths) if one.has_single_slashes else one.paths
        )
    ordered = sorted(groups, key=lambda methods: (not methods, methods))
    return tuple(
        (f"(?s)^{expression}\\z", methods)
        for methods in ordered
        for expression in expressions(groups[methods], size)
    )


def expressions(paths: Iterable[Pieces], size: Measure) -> list[str]:
    """The fewest expressions, none too long for a word, that together match what any of the patterns matches."""
    root = _Tree(size)
    for pieces in paths:
        is_whole = len(pieces) <= _MOST_PIECES
        root.add(piece.text for piece in (pieces if is_whole else (*pieces[:_MOST_PIECES], ANYTHING)))
    return list(root.split(""))


class _Tree:
    """Patterns as a tree of their prefixes."""

    def __init__(self, size: Measure) -> None:
        self._measure = size
        self._inner: dict[str, _Tree] = {}
        self._is_end = False
        self._text: str | None = None

    def add(self, pieces: Iterable[str]) -> None:
        """One pattern."""
        at = self
        for piece in pieces:
            at = at._inner.setdefault(piece, _Tree(self._measure))
        at._is_end = True

    def split(self, begin: str) -> Iterator[str]:
        """Expressions that each fit one word of nginx's; `begin` stands before all of them."""
        if self._size(begin + self._whole()) <= MOST_OF_A_WORD:
            yield begin + self._whole()
            return
        if self._is_end:
            yield begin
        parts, size = list[str](), self._size(begin)
        for piece, inner in sorted(self._inner.items()):
            text = piece + inner._whole()
            if size + self._size(text) > MOST_OF_A_WORD and parts:
                yield begin + _either(parts)
                parts, size = [], self._size(begin)
            if size + self._size(text) > MOST_OF_A_WORD:
                yield from inner.split(begin + piece)
            else:
                parts.append(text)
                size += self._size(text)
        if parts:
            yield begin + _either(parts)

    def _size(self, text: str) -> int:
        """Its bytes in a word, with room for what stands around a part."""
        return self._measure(f"{text} ")

    def _whole(self) -> str:
        if self._text is None:
            made = [piece + inner._whole() for piece, inner in sorted(self._inner.items())]
            self._text = f"(?:{'|'.join(made)})?" if made and self._is_end else _either(made)
        return self._text


def _either(texts: Sequence[str]) -> str:
    return f"(?:{'|'.join(texts)})" if len(texts) > 1 else "".join(texts)
