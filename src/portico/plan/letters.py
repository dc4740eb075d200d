r"""Patterns of characters for a gateway that compares bytes: each matches what the app's own pattern matches.

Python's `\d` is a digit of any script, `.` a character of up to four bytes. Invalid UTF-8 counts as the app decodes
it: each invalid piece is one character. Only `\w` is not exact: it matches every non-ASCII character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from portico.plan.web.wide import class_of

_parser: Any = re._parser  # type: ignore[attr-defined]  # Python's own reader of expressions has no public name
_KNOWN = 4096
_ATOM = re.compile(
    r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|N\{[^}]*\}|.)"
    r"|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-z]*-?[a-z]*:|\(\?<?[=!>]|[*+?]|\{\d*,?\d*\}|.",
    re.DOTALL,
)
_SYNTAX = frozenset(("", *"()|*+?^$"))
_LOOKS, _EVERY = (("(?!", ")"), ("(?=", ")")), (".", r"[\s\S]")
_COMPLEMENTS = {f"CATEGORY_NOT_{name}": f"CATEGORY_{name}" for name in ("DIGIT", "SPACE", "WORD")}
_REPEATS, _ANY_NUMBER = ("*", "+", "?"), ("*", "+", "{0,}", "{1,}", "{,}")
_LONGEST = 3000
"""The length limit of a pattern: nginx accepts 4095 bytes for a word, in which a backslash takes two."""
_ANY = (
    r"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]?|[\xe1-\xec\xee\xef][\x80-\xbf]{1,2}"
    r"|\xed[\x80-\x9f][\x80-\xbf]?|\xf0[\x90-\xbf][\x80-\xbf]{0,2}|[\xf1-\xf3][\x80-\xbf]{1,3}"
    r"|\xf4[\x80-\x8f][\x80-\xbf]{0,2}"
)
"""A character of several bytes, or an invalid piece that Python decodes as one character."""
_WHOLE = r"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
_ZEROS = (
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
    0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0,
    0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0,
    0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0,
    0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
)  # fmt: skip
"""The zeros of all scripts of Unicode 14, each followed by nine digits: those of the oldest Python."""
_LATER = {
    15: (0x11F50, 0x1E4F0),
    16: (0x10D40, 0x116D0, 0x116DA, 0x11BF0, 0x16130, 0x16D70, 0x1CCF0, 0x1E5F1),
    17: (0x11DE0,),
}
"""The scripts that each version of Unicode added."""
_SPACES = ((0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F),
           (0x205F, 0x205F), (0x3000, 0x3000))  # fmt: skip
_ALSO = {"i": "\u0130\u0131", "k": "\u212a", "s": "\u017f"}
"""Characters that Python's case-insensitive match treats as ASCII letters."""
_MOST_CASES = 2048
_SURROGATES = (0xD800, 0xDFFF)
_UNCUT = ((0x80, 0x7FF), (0x800, 0xD7FF), _SURROGATES, (0xE000, 0xFFFF), (0x10000, 0x10FFFF))
"""Characters by their number of bytes."""
_HIGH = frozenset(range(0x80, 0x100))
_ALL = frozenset(range(0x100))

Range = tuple[int, int]


@lru_cache(_KNOWN)
def in_bytes(regex: str, unicode: str) -> str:
    """The pattern for bytes: unchanged if characters and bytes are the same for it.

    `unicode` is the Unicode version of the app's Python: it defines the digits.
    """
    try:
        exact = "".join(_made(regex, _digits(int(unicode.partition(".")[0]))))
        return exact if len(exact) <= _LONGEST else "".join(_made(regex, _WHOLE))
    except (re.error, ValueError):
        return regex  # not a Python expression: nginx reports its own error


def _made(regex: str, digits: str) -> Iterator[str]:
    atoms, ignoring = [*_ATOM.findall(regex), "", ""], [False]
    for number, (atom, after) in enumerate(pairwise(atoms)):
        before = atoms[number - 1] if number else ""
        if atom.startswith("("):
            on = atom[2:-1].partition("-")[0] if atom.endswith(":") else ""
            ignoring.append(ignoring[-1] or "i" in on)
        elif atom == ")" and len(ignoring) > 1:
            ignoring.pop()
        is_letter = atom[:1] not in _SYNTAX and not (atom[:1] == "{" and len(atom) > 1)
        if (before, after) in _LOOKS and atom in _EVERY:
            is_letter = False  # a character class matches any byte there
        if after == "." and atoms[number + 2] == "*":
            after = "+"
        yield _letter(atom, after, digits, ignores_case=ignoring[-1]) if is_letter else atom


def _letter(atom: str, after: str, digits: str, *, ignores_case: bool) -> str:
    (operation, value), *_ = _parser.parse(atom)
    name = str(operation)
    if name == "LITERAL":
        return _literal(atom, value, after, ignores_case=ignores_case)
    if name == "ANY":
        return _any(atom, "", after)
    if name not in ("IN", "NOT_LITERAL"):
        return atom
    items = (
        [("NEGATE", None), ("LITERAL", value)]
        if name == "NOT_LITERAL"
        else [(str(op), it) for op, it in value]
    )
    if len(items) == 1 and str(items[0][1]) in _COMPLEMENTS:
        items = [("NEGATE", None), ("CATEGORY", _COMPLEMENTS[str(items[0][1])])]
    categories = {str(item).rpartition("CATEGORY_")[2] for op, item in items if op == "CATEGORY"}
    ranges = list(_ranges(items, atom, ignores_case=ignores_case))
    is_kept = atom.isascii() and not ranges and "SPACE" not in categories
    others = _others(categories, ranges, digits)
    if items[0][0] == "NEGATE":
        left_out = "" if "WORD" in categories else others
        return _any(atom if is_kept else _of_bytes(atom, _HIGH), left_out, after)
    if any(one.startswith("NOT_") for one in categories):
        return _any(atom if is_kept else _of_bytes(atom, _HIGH), "", after)
    if not others:
        return atom
    own = atom if is_kept and atom != r"\d" else _of_bytes(atom, frozenset())
    return f"(?:{own}|{others})" if own else f"(?:{others})"


def _any(atom: str, left_out: str, after: str) -> str:
    """One of nearly all characters: any number of them is any number of bytes."""
    if left_out:
        return f"(?>(?!{left_out})(?:{_ANY}|{atom}))"
    return atom if after in _ANY_NUMBER else f"(?>{_ANY}|{atom})"


def _literal(atom: str, code: int, after: str, *, ignores_case: bool) -> str:
    letter = chr(code)
    if ignores_case and (code >= 0x80 or letter.lower() in _ALSO):
        return f"(?:{'|'.join([letter, *sorted(_cases(code) - {letter})])})"
    if code < 0x80:
        return f"\\x{code:02x}" if atom[:2] in (r"\u", r"\U", r"\N") else atom
    return f"(?:{letter})" if after in _REPEATS or after.startswith("{") else letter


def _cases(code: int) -> frozenset[str]:
    letter = chr(code)
    also = _ALSO.get(letter.lower(), "")
    return frozenset(one for one in (letter.lower(), letter.upper(), *also) if len(one) == 1)


def _ranges(items: Iterable[tuple[str, Any]], atom: str, *, ignores_case: bool) -> Iterator[Range]:
    """The non-ASCII characters that a set names."""
    for name, item in items:
        low, high = (item, item) if name == "LITERAL" else item if name == "RANGE" else (0, 0)
        if high >= 0x80:
            yield max(low, 0x80), high
            if ignores_case and high - low < _MOST_CASES:
                cases = {ord(one) for code in range(low, high + 1) for one in _cases(code)}
                yield from ((code, code) for code in sorted(cases) if code >= 0x80)
    if ignores_case and not atom.startswith("[^"):
        taken = [letter for letter in _ALSO if re.match(atom, letter, re.IGNORECASE)]
        yield from ((ord(code), ord(code)) for letter in taken for code in _ALSO[letter])


def _of_bytes(atom: str, others: frozenset[int]) -> str:
    """The ASCII characters of a set, and those bytes."""
    taken = frozenset(code for code in range(0x80) if re.match(atom, chr(code), re.DOTALL)) | others
    if taken == _ALL:
        return r"[\s\S]"
    return class_of(taken) if taken else ""


def _others(categories: frozenset[str] | set[str], ranges: Iterable[Range], digits: str) -> str:
    made = [digits] if "DIGIT" in categories else []
    made += [_WHOLE] if "WORD" in categories else []
    own = [*ranges, *(_SPACES if "SPACE" in categories else ())]
    return "|".join([*made, *([_alternatives(own)] if own else [])])


@lru_cache(_KNOWN)
def _digits(version: int) -> str:
    later = (zero for since, zeros in _LATER.items() if since <= version for zero in zeros)
    return _alternatives([(zero, zero + 9) for zero in sorted((*_ZEROS, *later))])


# Ranges of characters as bytes ---------------------------------------------------------------------------


def _alternatives(ranges: Iterable[Range]) -> str:
    return _either([sequence for low, high in ranges for sequence in _sequences(low, high)])


def _sequences(low: int, high: int) -> Iterator[tuple[Range, ...]]:
    """The bytes of all characters in a range: a range for each byte."""
    if low > high:
        return
    for first, last in _UNCUT:
        if low < first <= high or low <= last < high:
            cut = first - 1 if low < first else last
            yield from _sequences(low, cut)
            yield from _sequences(cut + 1, high)
            return
    if (low, high) != _SURROGATES and not (_SURROGATES[0] <= low and high <= _SURROGATES[1]):
        for bits in (18, 12, 6):
            mask = (1 << bits) - 1
            if low & ~mask != high & ~mask and (low & mask or high & mask != mask):
                cut = low | mask if low & mask else (high & ~mask) - 1
                yield from _sequences(low, cut)
                yield from _sequences(cut + 1, high)
                return
        yield tuple(zip(chr(low).encode(), chr(high).encode(), strict=True))


def _either(sequences: Sequence[tuple[Range, ...]]) -> str:
    if any(len(sequence) == 1 for sequence in sequences):
        return _class({code for ((low, high),) in sequences for code in range(low, high + 1)})
    behind: dict[Range, list[tuple[Range, ...]]] = {}
    for first, *rest in dict.fromkeys(sequences):
        behind.setdefault(first, []).append(tuple(rest))
    same: dict[str, set[int]] = {}
    for (low, high), rests in behind.items():
        same.setdefault(_inner(rests), set()).update(range(low, high + 1))
    return "|".join(_class(codes) + rest for rest, codes in same.items())


def _inner(rests: Sequence[tuple[Range, ...]]) -> str:
    text = _either(rests)
    return f"(?:{text})" if "|" in text else text


def _class(codes: set[int]) -> str:
    return f"\\x{min(codes):02x}" if len(codes) == 1 else class_of(frozenset(codes))
