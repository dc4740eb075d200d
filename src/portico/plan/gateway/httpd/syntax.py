"""httpd's syntax: a tree of directives with their reasons, the only quoting, and the printing.

Facts about the quoting, tested on 2.4.71: a word in double quotes may have spaces, `#` and `<>`; inside, `\\"` is a
quote and `\\\\` a backslash, and before anything else a backslash is literal. `${NAME}` is replaced in every line,
quoted or not, so no word of the user's may have it. A backslash at the end of a line joins it with the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from msgspec import Struct

from portico.errors import Problem, UsageError
from portico.plan.files import Line, shortened
from portico.plan.gateway.httpd.names import DOLLAR
from portico.plan.gateway.httpd.reference import link
from portico.plan.web.literal import CONTROL

_NEEDS_QUOTES = re.compile(r"""[\s"'<>\\]|^#""")
_TAKEN = re.compile(r"""\\(?=["\\]|\Z)""")
"""A backslash that httpd would take for the beginning of something; no other is doubled, so patterns stay readable."""
_INDENT = "    "


class Directive(Struct, frozen=True):
    """One directive; `block` is the children of a section (`<Location ...>`), or None.

    `verbatim` contains the user's own text instead, printed unchanged; `causes` are the places of its lines.
    """

    name: str
    args: tuple[str, ...] = ()
    block: tuple[Directive, ...] | None = None
    why: str = ""
    source: str = ""
    cause: str = ""
    verbatim: str | None = None
    causes: tuple[str, ...] = ()


def directive(name: str, *args: object, why: str, cause: str = "", source: str = "") -> Directive:
    """A simple directive. Its link is the manual's page of that directive unless `source` names a better one."""
    return Directive(name, tuple(map(str, args)), None, why, source or link(name), cause)


def section(
    name: str, *args: object, of: Iterable[Directive], why: str, cause: str = "", source: str = ""
) -> Directive:
    """A section and its children."""
    return Directive(name, tuple(map(str, args)), tuple(of), why, source or link(name), cause)


def verbatim(text: str, causes: tuple[str, ...]) -> Directive:
    """The user's own lines."""
    why = "yours, placed as you wrote it"
    return Directive("", verbatim=text, why=why, cause=causes[0], causes=causes)


def literal(text: str, cause: str) -> str:
    """A word of the user's that must be literal where httpd replaces `${NAME}` alone. Raises UsageError if httpd cannot
    express it.
    """
    if "$" in text:
        hint = "httpd cannot write a literal $ there; use a name without one"
        raise UsageError(Problem(cause, f'"{text}" has a $', hint))
    if CONTROL.search(text):
        raise UsageError(Problem(cause, f"{text!r} has a control character", "use a name without one"))
    return text


def target(path: str, cause: str) -> str:
    """The same in what mod_rewrite looks at or leads to, where it replaces `%1` and `%{NAME}`, too."""
    return re.sub(r"[%\\]", r"\\\g<0>", literal(path, cause))


def value(text: str) -> str:
    """The value of a header, literally: httpd replaces `%` with what follows. Raises UsageError for an expression."""
    if text.lower().startswith("expr="):
        raise UsageError(Problem("headers", f'"{text}" would be an expression of httpd', "use another value"))
    return text.replace("%", "%%")


def regex(text: str) -> str:
    """A pattern that matches this text and nothing else."""
    return re.sub(r"([][.^$*+?(){}|\\])", r"\\\1", text)


@lru_cache(8192)
def quote(word: str) -> str:
    """One word, quoted for httpd. Raises ValueError for a word that httpd would change or refuse."""
    if CONTROL.search(word.replace("\t", "")):
        raise ValueError("has a control character")
    if re.search(r"\$\{\w+[:}]", word):
        raise ValueError("has ${...}, which httpd replaces")
    if word and not _NEEDS_QUOTES.search(word):
        return word
    escaped = _TAKEN.sub(r"\\\\", word).replace('"', '\\"')
    return f'"{escaped}"'


@lru_cache(8192)
def rewrite_quote(word: str) -> str:
    """One word of mod_rewrite's, which reads its lines itself: every backslash stays, and no quote can be escaped.

    Raises ValueError as `quote` does, and for a word with spaces and both kinds of quotes.
    """
    quote(word)
    if word and not re.search(r"\s|^[\"']|\\\Z", word):
        return word
    mark = next((one for one in "\"'" if one not in word), "")
    if not mark:
        raise ValueError("has spaces and both kinds of quotes")
    return f"{mark}{word}{mark}"


def _interpolated_quote(word: str) -> str:
    """One word in which httpd replaces a variable of the request, written with DOLLAR; nothing of it is the user's."""
    mark = f"${{{DOLLAR}}}"
    if mark not in word:
        return quote(word)
    quote(word.replace(mark, ""))
    return f'"{word}"'


_QUOTES: dict[str, Callable[[str], str]] = {
    "RewriteCond": rewrite_quote,
    "RewriteRule": rewrite_quote,
    "ProxyPassMatch": _interpolated_quote,
}


def render(tree: Iterable[Directive], depth: int = 0) -> list[Line]:
    """The tree as lines, each with its directive's reason."""
    made: list[Line] = []
    for item in tree:
        _render(item, depth, made)
    return made


def _render(item: Directive, depth: int, made: list[Line]) -> None:
    indent = _INDENT * depth
    if item.verbatim is not None:
        made.extend(_verbatim_lines(item, depth))
        return
    head = _head(item)
    if item.block is None:
        made.append(Line(indent + head, item.why, item.source, item.cause))
        return
    made.append(Line(f"{indent}<{head}>", item.why, item.source, item.cause))
    for child in item.block:
        _render(child, depth + 1, made)
    made.append(Line(f"{indent}</{item.name}>"))


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
        made.append(Line(f"{indent}<{_head(item)}>"))
        made.extend(render_commented(item.block, depth + 1, said))
        made.append(Line(f"{indent}</{item.name}>"))
    return made


def _head(item: Directive) -> str:
    try:
        quoted = _QUOTES.get(item.name, quote)
        return " ".join((item.name, *map(quoted, item.args)))
    except ValueError as error:
        what = f"a word of {item.name[:40]!r} in httpd's configuration {error}"
        raise UsageError(Problem(item.cause or "httpd.conf", what, "choose a plainer value")) from None


def _verbatim_lines(item: Directive, depth: int) -> Iterator[Line]:
    for number, text in enumerate((item.verbatim or "").split("\n")):
        cause = item.causes[min(number, len(item.causes) - 1)] if item.causes else item.cause
        yield Line(_INDENT * depth + text if text.strip() else "", item.why, "", cause, is_users=True)
