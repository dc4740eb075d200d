"""uWSGI's file and ModSecurity's directives as those programs read them, with nothing of Portico's."""

from __future__ import annotations

import re

from tests.plan.nginx_parser import UnreadableError

_MAGIC = re.compile(r"%(?!%)|[$@]\(")
_TOKEN = re.compile(rb'[ \t]*(?:"((?:\\.|[^"\\])*)"|([^ \t"]+))(?=[ \t]|$)', re.DOTALL)


def uwsgi(text: str) -> list[tuple[str, str]]:
    """The options of an INI file: uWSGI's `core/ini.c`, then the placeholders of `core/config.c`."""
    found, section = list[tuple[str, str]](), ""
    for line in text.split("\n"):
        stripped = line.strip(" \t\r")
        if not stripped or stripped[0] in "#;":
            continue
        if stripped[0] == "[":
            section = stripped
            continue
        assert section == "[uwsgi]", section
        key, _, value = (part.strip(" \t\r") for part in stripped.partition("="))
        if _MAGIC.search(value.replace("%%", "")):
            raise UnreadableError(f"{value!r} is replaced")
        found.append((key, value.replace("%%", "%")))
    return found


def modsecurity(text: bytes) -> tuple[bytes, ...]:
    """The name and the words of one directive. A line is one; in quotes, a backslash keeps the next character."""
    if re.search(rb"[\n\r\0]", text):
        raise UnreadableError("more than one line")
    words, position = list[bytes](), 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise UnreadableError(text)
        words.append(found[1] if found[1] is not None else found[2])
        position = found.end()
    if words[0].startswith(b"#"):
        raise UnreadableError("a comment")
    return tuple(words)
