"""HTML that is safe by its making: every text is escaped that was not made here."""

from __future__ import annotations

import html
from collections.abc import Iterable

from portico.cli import output

_EMPTY = frozenset({"line", "meta", "rect"})
"""Elements without content."""


class Html(str):
    """Finished HTML, which `tag` does not escape again."""

    __slots__ = ()


def tag(name: str, /, *content: str | Iterable[str], **attributes: object) -> Html:
    """An element. `class_` is the attribute class, `aria_label` is aria-label; one that is None is left out."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY:
        return Html(f"<{name}{words}>" if name == "meta" else f"<{name}{words}/>")
    inner = "".join(escaped(one) if isinstance(one, str) else joined(one) for one in content)
    return Html(f"<{name}{words}>{inner}</{name}>")


def joined(parts: Iterable[str]) -> Html:
    return Html("".join(map(escaped, parts)))


def escaped(text: str) -> Html:
    """Control characters, those that reorder text and halves of characters are visible as escapes."""
    if isinstance(text, Html):
        return text
    return Html(html.escape(output.safe(text)).encode("utf-8", "backslashreplace").decode())
