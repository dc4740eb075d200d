"""httpd's syntax: lines, words and variables, as server/util.c and server/core.c read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

_PLAIN = re.compile(r"[^\s\"'\\]+")


class Line(Struct, frozen=True):
    """A line with its continuations, trimmed; `number` is that of its first."""

    file: str
    number: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.number}"


def lines(file: str, text: str) -> Iterator[Line]:
    """All but comments and empty ones. A backslash at the end of any line, a comment's too, joins the next."""
    joined, first = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        first = first or number
        line = raw.removesuffix("\r")
        if line.endswith("\\"):
            joined += line[:-1]
            continue
        found = (joined + line).strip(" \t\r\v\f")
        if found and not found.startswith("#"):
            yield Line(file, first, found)
        joined, first = "", 0
    if (rest := joined.strip()) and not rest.startswith("#"):
        yield Line(file, first, rest)


def word(text: str) -> tuple[str, str]:
    """The first word without its quotes, and the rest: ap_getword_conf."""
    text = text.lstrip()
    if not text:
        return "", ""
    quote = text[0] if text[0] in "\"'" else ""
    at = len(quote)
    while at < len(text) and (text[at] != quote if quote else not text[at].isspace()):
        is_escape = quote and text[at] == "\\" and text[at + 1 : at + 2] in (quote, "\\")
        at += 2 if is_escape else 1
    inner = text[len(quote) : at]
    return _unescaped(inner, quote), text[at + len(quote) :].lstrip()


def _unescaped(text: str, quote: str) -> str:
    """`\\\\` is one backslash, and a quote may be escaped by one; any other backslash stays."""
    if "\\" not in text:
        return text
    signs = re.escape(quote) if quote else ""
    return re.sub(rf"\\([\\{signs}])", r"\1", text)


def words(text: str) -> tuple[str, ...]:
    found = []
    while text := text.lstrip():
        one, text = word(text)
        found.append(one)
    return tuple(found)


def rewrite_quoted(text: str) -> str:
    """A word of mod_rewrite's, which knows no escape but a backslash before a space."""
    return f'"{text}"' if re.search(r"\s", text) or not text else text


def quoted(text: str) -> str:
    """A word as httpd reads it back."""
    if _PLAIN.fullmatch(text) and not text.startswith("#"):
        return text
    if "\\" in text and not re.search(r"[\s\"']|\\\\", text):
        return text  # a pattern: its backslashes stay
    escaped = re.sub(r'\\(?=[\\"]|$)|"', r"\\\g<0>", text)
    return f'"{escaped}"'


def resolved(text: str, variables: Mapping[str, str]) -> str:
    """A line with `${NAME}` replaced by its value; an unknown one stays as it is: ap_resolve_env."""
    made, at = "", 0
    while (found := text.find("${", at)) >= 0:
        end = text.find("}", found)
        if end < 0:
            break
        value = variables.get(text[found + 2 : end])
        if value is None:
            made += text[at : found + 1]
            at = found + 1
        else:
            made += text[at:found] + value
            at = end + 1
    return made + text[at:]


def rewrite_words(text: str) -> tuple[str, ...]:
    """mod_rewrite's own words: a backslash before a space keeps it, and all backslashes stay."""
    found = []
    while text := text.lstrip():
        quote = text[0] if text[0] in "\"'" else ""
        at = len(quote)
        while at < len(text) and (text[at] != quote if quote else not text[at].isspace()):
            at += 2 if text[at] == "\\" and text[at + 1 : at + 2].isspace() else 1
        found.append(text[len(quote) : at])
        text = text[at + len(quote) :]
    return tuple(found)
