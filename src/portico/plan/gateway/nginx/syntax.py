"""nginx's syntax: a tree of directives with their reasons, the only quoting, and the printing.

Facts about the quoting, tested on 1.22 and 1.31: inside double quotes spaces and `;{}#` are literal. A backslash before
any of `"'\\trn` must be doubled; before anything else it is literal. Where a directive takes variables, nothing makes a
`$` literal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from msgspec import Struct

from portico.errors import Problem, UsageError
from portico.plan.files import Line, shortened
from portico.plan.gateway.nginx.reference import link
from portico.plan.web.literal import CONTROL

_NEEDS_QUOTES = re.compile(r"""[\s;{}#"'\\]""")
_TAKEN = re.compile(r"""\\(?=["'\\trn]|\Z)""")
"""A backslash that nginx would take for the beginning of something. No other is doubled: so a regular expression reads
as its author knows it, also for programs that know less of nginx's quoting (gixy)."""
_MOST = 4095
"""Bytes of a word in nginx's buffer for its configuration, quotes included."""
_SHORT = _MOST // 8
_INDENT = "    "


class Directive(Struct, frozen=True):
    """One directive: `args` are nginx's words, where `$name` is a variable; `block` is its children or None.

    `verbatim` contains the user's own text instead, printed unchanged; `users` are the words of a simple directive in
    it, `causes` the places of its lines.
    """

    name: str
    args: tuple[str, ...] = ()
    block: tuple[Directive, ...] | None = None
    why: str = ""
    source: str = ""
    cause: str = ""
    verbatim: str | None = None
    users: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


def directive(name: str, *args: object, why: str, cause: str = "", source: str = "") -> Directive:
    """A simple directive. Its link is the manual's page of that directive unless `source` names a better one."""
    return Directive(name, tuple(map(str, args)), None, why, source or link(name), cause)


def block(
    name: str, *args: object, of: Iterable[Directive], why: str, cause: str = "", source: str = ""
) -> Directive:
    """A block directive and its children."""
    return Directive(name, tuple(map(str, args)), tuple(of), why, source or link(name), cause)


def entries(
    name: str, *args: object, table: Iterable[tuple[str, ...]], why: str, cause: str = ""
) -> Directive:
    """A block whose lines are entries of a table (`map`, `geo`, `types`) and share its reason."""
    rows = (Directive(row[0], row[1:], why=why, cause=cause, source=link(name)) for row in table)
    return block(name, *args, of=rows, why=why, cause=cause)


def verbatim(text: str, causes: tuple[str, ...], words: tuple[str, ...] = ()) -> Directive:
    """The user's own lines; `words` are those of a simple directive."""
    why = "yours, placed as you wrote it"
    return Directive("", verbatim=text, why=why, cause=causes[0], users=words, causes=causes)


def literal(text: str, cause: str) -> str:
    """A word of the user's that must be literal.

    Raises UsageError if nginx cannot express it: a `$` or a control character.
    """
    if "$" in text:
        raise UsageError(
            Problem(
                cause, f'"{text}" has a $', "nginx cannot write a literal $ there; use a name without one"
            )
        )
    if CONTROL.search(text):
        raise UsageError(Problem(cause, f"{text!r} has a control character", "use a name without one"))
    return text


def time(seconds: float) -> str:
    """A duration in nginx's syntax, which has no decimals."""
    return f"{seconds:.0f}s" if float(seconds).is_integer() else f"{round(seconds * 1000)}ms"


@lru_cache(8192)
def quote(word: str) -> str:
    """One word, quoted for nginx. Raises ValueError for a word that nginx would cut or refuse."""
    written = _quoted(word)
    if "\0" in word:
        raise ValueError("has a NUL character, where nginx ends the word")
    if len(written) > _SHORT and size(word) > _MOST:
        raise ValueError(f"is longer than {_MOST} bytes, the most that nginx reads as one word")
    return written


def size(word: str) -> int:
    """The bytes of the word in a configuration."""
    return len(_quoted(word).encode("utf-8", "surrogateescape"))


def _quoted(word: str) -> str:
    if word and not _NEEDS_QUOTES.search(word):
        return word
    escaped = _TAKEN.sub(r"\\\\", word).replace('"', '\\"')
    return f'"{escaped}"'


def render(tree: Iterable[Directive], depth: int = 0) -> list[Line]:
    """The tree as lines, each with its directive's reason."""
    made: list[Line] = []
    _render(tree, depth, made)
    return made


def _render(tree: Iterable[Directive], depth: int, made: list[Line]) -> None:
    indent = _INDENT * depth
    for item in tree:
        if item.verbatim is not None:
            made.extend(_verbatim_lines(item, depth))
            continue
        head = indent + _head(item)
        if item.block is None:
            made.append(Line(head + ";", item.why, item.source, item.cause))
            continue
        made.append(Line(head + " {", item.why, item.source, item.cause))
        _render(item.block, depth + 1, made)
        made.append(Line(indent + "}"))


def render_commented(tree: Iterable[Directive], depth: int = 0, above: str = "") -> list[Line]:
    """The tree as lines for people: each reason, shortened, is a comment above the first line that has it."""
    made, said, indent = list[Line](), above, _INDENT * depth
    for item in tree:
        if item.why and item.why != said:
            said = item.why
            made.append(Line(f"{indent}# {shortened(item.why)}"))
        if item.block is None or item.verbatim is not None:
            made.extend(render([item], depth))
            continue
        made.append(Line(f"{indent}{_head(item)} {{"))
        made.extend(render_commented(item.block, depth + 1, said))
        made.append(Line(f"{indent}}}"))
    return made


def _head(item: Directive) -> str:
    """The name is quoted, too: it may be the key of a table."""
    try:
        return " ".join(map(quote, (item.name, *item.args)))
    except ValueError as error:
        what = f"a word of {item.name[:40]!r} in nginx's configuration {error}"
        raise UsageError(
            Problem(item.cause or "nginx.conf", what, "choose a shorter or plainer value")
        ) from None


def _verbatim_lines(item: Directive, depth: int) -> Iterator[Line]:
    for number, text in enumerate((item.verbatim or "").split("\n")):
        cause = item.causes[min(number, len(item.causes) - 1)] if item.causes else item.cause
        yield Line(_INDENT * depth + text if text.strip() else "", item.why, "", cause, is_users=True)
