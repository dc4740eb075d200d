r"""URL rules as patterns: `/reports/<int:year>` becomes `/reports/\d+`, in the syntax that Python and nginx share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_PLACEHOLDER = re.compile(
    r"<(?:(?P<converter>[A-Za-z_]\w*)(?:\((?P<arguments>.*?)\))?:)?(?P<name>[A-Za-z_]\w*)>", re.ASCII
)
_STANDARD = {
    "default": "[^/]+",
    "string": "[^/]+",
    "str": "[^/]+",
    "slug": "[-a-zA-Z0-9_]+",
    "int": r"\d+",
    "float": r"\d+\.\d+",
    "path": "[^/].*?",
    "uuid": "[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}",
}
"""The converters of Flask and Django, https://werkzeug.palletsprojects.com/en/stable/routing/#built-in-converters"""
_STARLETTE = _STANDARD | {
    "int": "[0-9]+",
    "float": r"[0-9]+(?:\.[0-9]+)?",
    "path": ".*",
    "uuid": "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}",
}
"""The converters of Starlette with these names: https://www.starlette.io/routing/#path-parameters"""
_NAMED = re.compile(r"\(\?P<\w+>")
_META = frozenset("^$.*+?{}[]()|")
_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")

ANYTHING = "(?s:.*)"
"""Any text, with newlines."""

_AHEAD, _END = "(?=", r"(?![\s\S])"
"""A lookahead before a pattern, and the end of the text in Python's and nginx's shared spelling."""
_FILES = ("a", "css/a.b.css")
"""A route that answers both of these below a URL answers every file there."""

Converter = Callable[[str, str], str]
"""The pattern of a converter, from its name and arguments as the rule has them."""


class Part(NamedTuple):
    """A piece of a rule: fixed text, or the pattern of a placeholder."""

    text: str
    is_fixed: bool


def pattern(rule: str, converter: Converter | None = None) -> str:
    """A rule in Flask's spelling as a regular expression for the whole path, without captures.

    Raises ValueError that names the unknown part.
    """
    return "".join(escape(part.text) if part.is_fixed else part.text for part in parts(rule, converter))


def parts(rule: str, converter: Converter | None = None) -> Iterator[Part]:
    """The parts of a rule in Flask's spelling. Raises ValueError that names the unknown part."""
    at = 0
    for found in _PLACEHOLDER.finditer(rule):
        yield from _fixed(rule[at : found.start()])
        name, arguments = found["converter"] or "default", found["arguments"] or ""
        yield Part(f"(?:{without_names((converter or standard)(name, arguments))})", is_fixed=False)
        at = found.end()
    yield from _fixed(rule[at:])


def standard(name: str, arguments: str) -> str:
    """The pattern of a converter that every app has. Raises ValueError for any other."""
    if name == "any" and arguments:
        return "|".join(escape(word.strip(" '\"")) for word in arguments.split(","))
    if name not in _STANDARD:
        raise ValueError(
            f"'{name}' is not a converter known here: {', '.join(sorted(_STANDARD))} or any(a,b)"
        )
    if arguments:
        raise ValueError(f"'{name}' takes no arguments here")
    return _STANDARD[name]


def of_starlette(rule: str) -> str:
    """A rule in Flask's spelling with Starlette's meaning: no newlines, and `int` is ASCII only.

    Raises ValueError that names the unknown part.
    """

    def converter(name: str, arguments: str) -> str:
        return _STARLETTE[name] if name in _STARLETTE and not arguments else standard(name, arguments)

    return pattern(rule, converter) + r"\n?"


def head(regex: str) -> str:
    """The fixed text that every match of a pattern begins with."""
    return _head(regex)[0]


def is_fixed(regex: str) -> bool:
    """Whether the pattern matches one path only."""
    return _head(regex)[1]


def fixed_path(regex: str) -> str | None:
    """The only path that the pattern matches, apart from a trailing newline; None if there are several."""
    text = regex.removesuffix(r"\n?")
    return head(text) if is_fixed(text) else None


def both(first: str, second: str) -> str:
    """A pattern for what both match as a whole."""
    return f"{_AHEAD}{second}{_END})" + first


def _parts_of_both(regex: str) -> tuple[str, str]:
    """The lookaheads that `both` puts before a pattern, and the pattern."""
    at = 0
    while regex.startswith(_AHEAD, at):
        at = regex.index(f"{_END})", at) + len(_END) + 1
    return regex[:at], regex[at:]


def plain(regex: str) -> str:
    """A pattern without the lookaheads of `both`; it may match more."""
    return _parts_of_both(regex)[1]


def below_slashes(regex: str) -> str:
    """The pattern for the same path after repeated slashes."""
    conditions, text = _parts_of_both(regex)
    return conditions.replace(f"{_AHEAD}/", f"{_AHEAD}//+") + f"//+{text[1:]}"


_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d+(?:,\d*)?\}|.", re.DOTALL)
_MORE = r"\x80-\xff"
"""Any byte of a non-ASCII character: nginx compares bytes, Python characters."""
_LETTERS = ("\\d", "\\w", "\\s")
_OF_CLASSES = (*_LETTERS, "\\D", "\\W", "\\S")
_REPEATED_GROUP = re.compile(r"(?<!\\)\)(?:[*+]|\{\d)")
_MOST_BYTES = 4
"""The bytes of a character in UTF-8."""


def widened(regex: str) -> str:
    """A pattern that matches in bytes at least what this one matches in characters."""
    atoms = [_ATOM.findall(part) for part in regex.split(_END)]
    pairs = [list(zip(part, [*part[1:], ""], strict=True)) for part in atoms]
    if _REPEATED_GROUP.search(regex) and any(_is_one(*pair) for part in pairs for pair in part):
        # A repetition of repetitions may try a long path in more ways than there is time for.
        return escape(head(regex)) + ANYTHING
    return _END.join("".join(_wide_atom(*pair) for pair in part) for part in pairs)


def _wide_atom(atom: str, after: str) -> str:
    if _is_count(atom):
        least, comma, most = atom[1:-1].partition(",")
        return atom if comma and not most else f"{{{least},{_MOST_BYTES * int(most or least)}}}"
    if _is_one(atom, after):
        return f"(?:{_wide_class(atom)}{{1,{_MOST_BYTES}}})"
    return _wide_class(atom) or (atom if atom.isascii() else f"(?:{atom})")


def _is_one(atom: str, after: str) -> bool:
    """Whether it takes one character, which may have several bytes, and no count follows that is made larger."""
    return bool(_wide_class(atom)) and not (after in ("*", "+") or _is_count(after))


def _is_count(atom: str) -> bool:
    return atom.startswith("{") and len(atom) > 1


def _wide_class(atom: str) -> str:
    """For an atom that takes one of several characters, non-ASCII ones among them: the bytes of all of them."""
    if atom in _LETTERS:
        return f"[{atom}{_MORE}]"
    if atom in (".", r"\D", r"\S", r"\W"):
        return atom
    if atom.startswith("[^"):
        # A byte of a character that is left out may be one of another character that is not.
        return atom if atom.isascii() else "(?s:.)"
    if atom.startswith("["):
        is_wide = not atom.isascii() or any(letters in atom for letters in _OF_CLASSES)
        return f"[{_MORE}{atom[1:]}" if is_wide else ""
    return ""


def both_ways(regex: str) -> str:
    """The pattern of a route for every spelling of its paths that some app may accept."""
    wide = widened(regex)
    return rf"(?:{wide}|{below_slashes(wide)})/*\n?(?![\s\S])"


def is_of_folder(regex: str, url: str) -> bool:
    """Whether it is the pattern of a route for every file below this URL."""
    return head(regex) == url and all(re.fullmatch(regex, url + name) for name in _FILES)


def _head(regex: str) -> tuple[str, bool]:
    text, at = "", 0
    conditions, regex = _parts_of_both(regex)
    while at < len(regex):
        escaped = regex[at] == "\\"
        if (regex[at] in _META and not escaped) or (escaped and regex[at + 1 : at + 2].isalnum()):
            return text, False
        size = 2 if escaped else 1
        if regex[at + size : at + size + 1] in ("*", "?", "{", "+"):
            return text, False  # the character is optional or may repeat
        text += regex[at + size - 1]
        at += size
    return text, not conditions


def rank(rule: str) -> tuple[tuple[int, int, int], ...]:
    """A sort key in Werkzeug's order: segment by segment, fixed before placeholders, paths last."""
    return tuple(_segment(text) for text in rule.split("/"))


def without_names(text: str) -> str:
    """A regular expression with plain groups for its named ones: nginx would make variables of those."""
    return _NAMED.sub("(?:", text)


def escape(text: str) -> str:
    """Fixed text in a pattern; `re.escape` would escape more than needed and make it harder to read."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def _fixed(text: str) -> Iterator[Part]:
    if "<" in text or ">" in text:
        raise ValueError(f'"{text}" has a bracket that is not part of a placeholder such as <int:number>')
    if text:
        yield Part(text, is_fixed=True)


def _segment(text: str) -> tuple[int, int, int]:
    names = [found["converter"] or "default" for found in _PLACEHOLDER.finditer(text)]
    left = len(_PLACEHOLDER.sub("", text))
    if not names:
        return 0, 0, 0
    weights = {"path": 200, "int": 50, "float": 50}
    return 1, max(weights.get(name, 100) for name in names), -left
