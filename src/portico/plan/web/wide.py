"""A framework's patterns in a form that a gateway may refuse by: each matches every path that the framework
matches.

A gateway compares bytes and does not know Unicode, its expressions differ from Python's, and an expression must not
cost much more for a long path. Where the two differ, the pattern here matches more: what it refuses, the app
refuses, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

_parser: Any = re._parser  # type: ignore[attr-defined]  # Python's own reader of expressions has no public name
_KNOWN = 4096
"""Cached patterns: an app has the same ones at each reload, and sites have some in common."""
_BYTES_OF_A_LETTER = 4
"""The most bytes of a character in UTF-8."""
_MOST_REPEATS = 1 << 14
"""PCRE's largest repeat count: 65 535."""
_HIGH = frozenset(range(0x80, 0x100))
_ASCII = frozenset(range(0x80))
_ALL = _ASCII | _HIGH
_SLASH, _BETWEEN = 0x2F, ("/", "/+")
_LINE_ENDS = frozenset({0x0A})
_SETS, _ENDS = (
    ("NOT_LITERAL", "ANY", "IN"),
    ("AT_BEGINNING", "AT_BEGINNING_STRING", "AT_END", "AT_END_STRING"),
)
_SPECIAL = frozenset("\\^$.*+?{}[]()|")


class Piece(NamedTuple):
    """A part of a byte pattern, after the part before it."""

    text: str
    letter: int = -1
    """The one character that it matches; -1 for any other part."""
    may_be_empty: bool = False
    may_have_slash: bool = False
    crosses: bool = False
    """It matches any number of segments."""
    repeats: frozenset[int] = frozenset()
    """The bytes that it matches in any number."""


Pieces = tuple[Piece, ...]
_LINE_END = Piece(r"\x0a?", may_be_empty=True)
ANYTHING = Piece(".*", -1, True, True, True, _ALL)
"""With `.` for every byte, newlines too."""
_REST = Piece("[^/]*", may_be_empty=True, repeats=_ALL - {_SLASH})
"""The rest of a segment."""


@lru_cache(_KNOWN)
def wide(pattern: str) -> Pieces:
    """The pattern for bytes. Unknown syntax matches anything."""
    try:
        parsed = _parser.parse(pattern)
        if parsed.state.flags & re.IGNORECASE:
            return (ANYTHING,)
        return _short(_sequence(parsed))
    except (re.error, RecursionError, ValueError, AttributeError):
        return (ANYTHING,)


@lru_cache(_KNOWN)
def exact(pattern: str) -> Pieces | None:
    """A byte pattern that matches nothing more than the given one, and nearly all of it; None if there is none.

    If a character may be one of many, it matches those of ASCII, unless any number of all others may stand there,
    too.
    """
    try:
        parsed = _parser.parse(pattern)
        if parsed.state.flags & re.IGNORECASE:
            return None
        made = tuple(_exact(parsed))
    except (re.error, RecursionError, ValueError, AttributeError, LookupError):
        return None
    return made if _short(made) == made else None


def fixed(text: str) -> Pieces:
    """A literal text."""
    return tuple(map(_letter, map(ord, text)))


def without_slash(pieces: Pieces) -> list[Pieces]:
    """Every path of the pattern with an additional slash."""
    if not pieces:
        return []
    *rest, last = pieces
    found = without_slash(tuple(rest)) if last.may_be_empty else []
    if last.text == "/":
        found.append(tuple(rest))
    elif last.may_have_slash:
        found.append((*rest, ANYTHING))
    return found


def with_slashes(pieces: Pieces) -> Pieces:
    """Every path of the pattern, with any number of additional slashes at its end."""
    return (*pieces, Piece("/*", may_be_empty=True, may_have_slash=True))


def merged(pieces: Pieces) -> Pieces:
    """Every path of the pattern when repeated slashes are treated as one."""
    return _short(map(_with_more_slashes, pieces))


def _with_more_slashes(piece: Piece) -> Piece:
    if piece.text == "/":
        return Piece(_BETWEEN[1], may_have_slash=True)
    return ANYTHING if piece.may_have_slash and not piece.crosses else piece


def _short(pieces: Iterable[Piece]) -> Pieces:
    """With limits that keep an expression from retrying each place of a long path for each other place of it.

    At most one part crosses segments; and in one segment no unlimited part follows another that could match the
    same characters.
    """
    made, crossed, first = list[Piece](), -1, -1
    for piece in pieces:
        if piece.text in _BETWEEN:
            first = -1
        elif piece.repeats and first >= 0 and not _is_apart(made[first:]):
            if piece.may_have_slash or made[first].crosses:
                return (*made[:first], ANYTHING)
            made[first:] = [_REST]
            continue
        elif piece.repeats:
            if piece.crosses and crossed >= 0 and not _is_apart(made[crossed:]):
                return (*made[:crossed], ANYTHING)
            first, crossed = len(made), len(made) if piece.crosses else crossed
        made.append(piece)
    return tuple(made)


def _is_apart(pieces: Sequence[Piece]) -> bool:
    """Whether its first character ends the part before: it cannot belong to that part."""
    first, *others = pieces
    return any(piece.letter >= 0 and min(piece.letter, 0x80) not in first.repeats for piece in others)


def _sequence(parsed: Iterable[tuple[Any, Any]]) -> Iterator[Piece]:
    for operation, value in parsed:
        yield from _made(str(operation), value)


def _made(operation: str, value: Any) -> Iterator[Piece]:
    match operation:
        case "LITERAL":
            yield _letter(value)
        case "NOT_LITERAL" | "ANY" | "IN":
            yield _one_of(_bytes(operation, value))
        case "SUBPATTERN":
            _, added, _, inner = value
            yield from (ANYTHING,) if added & re.IGNORECASE else _sequence(inner)
        case "ATOMIC_GROUP":
            yield from _sequence(value)
        case "BRANCH":
            yield _either([tuple(_sequence(branch)) for branch in value[1]])
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            yield _repeated(*value)
        case "AT" if str(value) == "AT_END":
            yield _LINE_END  # Python's $ ignores one
        case "AT" | "ASSERT" | "ASSERT_NOT":
            pass  # they only match less
        case _:
            yield ANYTHING


def _letter(code: int) -> Piece:
    if 0xDC80 <= code <= 0xDCFF:
        return Piece(f"\\x{code - 0xDC00:02x}", code)  # a byte of invalid UTF-8
    letter = chr(code)
    if letter in _SPECIAL:
        letter = f"\\{letter}"
    elif code < 0x20 or code == 0x7F:
        letter = f"\\x{code:02x}"
    return Piece(letter, code, may_have_slash=code == _SLASH)


def _one_of(taken: frozenset[int]) -> Piece:
    """One character: several bytes if it may be non-ASCII."""
    counted = f"{{1,{_BYTES_OF_A_LETTER}}}" if taken & _HIGH else ""
    return Piece(class_of(taken) + counted, may_have_slash=_SLASH in taken)


def _either(branches: list[Pieces]) -> Piece:
    if any(piece.crosses for branch in branches for piece in branch):
        return ANYTHING
    return Piece(
        f"(?:{'|'.join(map(text, branches))})",
        may_be_empty=any(all(piece.may_be_empty for piece in branch) for branch in branches),
        may_have_slash=any(piece.may_have_slash for branch in branches for piece in branch),
    )


def _repeated(least: int, most: Any, inner: Any) -> Piece:
    parsed = list(inner)
    is_endless = most is _parser.MAXREPEAT or most > _MOST_REPEATS
    if len(parsed) == 1 and str(parsed[0][0]) in _SETS:
        taken = _bytes(str(parsed[0][0]), parsed[0][1])
        most = most if is_endless or not taken & _HIGH else most * _BYTES_OF_A_LETTER
        crosses = _SLASH in taken and is_endless
        counted = _counted(least, None if is_endless else most)
        repeats = taken if is_endless else frozenset[int]()
        return Piece(class_of(taken) + counted, -1, least == 0, _SLASH in taken, crosses, repeats)
    pieces = tuple(_sequence(parsed))
    is_simple = all(piece.letter >= 0 for piece in pieces) or most == 1
    if not is_simple or any(piece.crosses for piece in pieces) or least > _MOST_REPEATS:
        return ANYTHING  # a nested repetition may cost far more than the length of its path
    whole = text(pieces)
    whole = whole if len(pieces) == 1 and whole.isascii() and pieces[0].letter >= 0 else f"(?:{whole})"
    has_slash = any(piece.may_have_slash for piece in pieces)
    is_empty = least == 0 or all(piece.may_be_empty for piece in pieces)
    counted = _counted(least, None if is_endless else most)
    repeats = _ALL if is_endless else frozenset[int]()
    return Piece(whole + counted, -1, is_empty, has_slash, has_slash and is_endless, repeats)


def _counted(least: int, most: int | None) -> str:
    least = min(least, _MOST_REPEATS)
    if most is None:
        return {0: "*", 1: "+"}.get(least, f"{{{least},}}")
    return "?" if (least, most) == (0, 1) else "" if (least, most) == (1, 1) else f"{{{least},{most}}}"


def text(pieces: Iterable[Piece]) -> str:
    """The pattern as it is written."""
    return "".join(piece.text for piece in pieces)


def _exact(parsed: Iterable[tuple[Any, Any]]) -> Iterator[Piece]:
    """Raises LookupError for syntax without an exact counterpart."""
    for operation, value in parsed:
        name = str(operation)
        if name == "LITERAL":
            yield _letter(value)
        elif name in _SETS:
            yield _one_of(_bytes(name, value) & _ASCII - _LINE_ENDS)
        elif name == "SUBPATTERN" and not value[1] & re.IGNORECASE:
            yield from _exact(value[3])
        elif name == "BRANCH":
            yield _either([tuple(_exact(branch)) for branch in value[1]])
        elif name == "AT" and str(value) in _ENDS:
            pass
        elif name in ("MAX_REPEAT", "MIN_REPEAT") and (piece := _exact_repeat(*value)):
            yield piece
        else:
            raise LookupError(name)


def _exact_repeat(least: int, most: Any, inner: Any) -> Piece | None:
    parsed = list(inner)
    if most is not _parser.MAXREPEAT and most <= 1:
        piece = _repeated(0, 1, parsed)
        return piece if tuple(_exact(parsed)) == tuple(_sequence(parsed)) else None
    if len(parsed) != 1 or str(parsed[0][0]) not in _SETS:
        return None
    taken = _bytes(str(parsed[0][0]), parsed[0][1]) - _LINE_ENDS
    is_endless = most is _parser.MAXREPEAT
    if not is_endless or not _takes_others(*parsed[0]):
        taken &= _ASCII
    repeats = taken if is_endless else frozenset[int]()
    counted = _counted(least, None if is_endless else most)
    return Piece(
        class_of(taken) + counted, -1, least == 0, _SLASH in taken, _SLASH in taken and is_endless, repeats
    )


def _takes_others(operation: Any, value: Any) -> bool:
    """Whether a set matches every non-ASCII character."""
    if str(operation) == "IN":
        items = [(str(name), item) for name, item in value]
        return items[0][0] == "NEGATE" and all(
            name == "NEGATE" or (name == "LITERAL" and item < 0x80) for name, item in items
        )
    return str(operation) == "ANY" or value < 0x80


# Sets of bytes -------------------------------------------------------------------------------------------


def _bytes(operation: str, value: Any) -> frozenset[int]:
    if operation == "ANY":
        return _ALL
    if operation == "NOT_LITERAL":
        return _ALL - {value} if value < 0x80 else _ALL
    items = [(str(name), item) for name, item in value]
    taken = frozenset[int]().union(*(_of_item(name, item) for name, item in items if name != "NEGATE"))
    if items[0][0] != "NEGATE":
        return taken
    return (_ASCII - taken) | _HIGH  # an excluded character may share bytes with an included one


@lru_cache(_KNOWN)
def _of_item(name: str, item: Any) -> frozenset[int]:
    if name == "LITERAL":
        return frozenset({item}) if item < 0x80 else _HIGH
    if name == "RANGE":
        low, high = item
        return frozenset(range(low, min(high, 0x7F) + 1)) | (_HIGH if high >= 0x80 else frozenset())
    sign = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[str(item).rpartition("_")[2]]
    sign = sign.upper() if "NOT" in str(item) else sign
    return frozenset(code for code in _ASCII if re.match(sign, chr(code))) | _HIGH


@lru_cache(_KNOWN)
def class_of(taken: frozenset[int]) -> str:
    """A pattern for one of these bytes."""
    if taken == _ALL:
        return "."
    return min(f"[{_ranges(taken)}]", f"[^{_ranges(_ALL - taken)}]", key=len)


def _ranges(taken: frozenset[int]) -> str:
    made, codes = "", sorted(taken)
    while codes:
        first = last = codes.pop(0)
        while codes and codes[0] == last + 1:
            last = codes.pop(0)
        made += _shown(first) + ("-" * (last > first + 1) + _shown(last) if last > first else "")
    return made


def _shown(code: int) -> str:
    letter = chr(code)
    return letter if letter.isascii() and (letter.isalnum() or letter in "/_.") else f"\\x{code:02x}"
