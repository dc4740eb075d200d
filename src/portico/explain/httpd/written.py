"""A tree as text that httpd reads: includes and macros in their place, no conditions that hold or do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portico.explain.httpd.names import CONDITIONS
from portico.explain.httpd.syntax import quoted, rewrite_quoted
from portico.explain.node import Node

_REPLACED = ("Include", "IncludeOptional", "Use", "Macro", "Define", "UnDefine")
"""What they bring stands behind them, with its values."""
_INDENT = "    "


def head(node: Node) -> str:
    """A directive or a block's first line as httpd reads it."""
    quote = rewrite_quoted if node.name in ("RewriteRule", "RewriteCond") else quoted
    text = " ".join([node.name, *map(quote, node.args)])
    return text if node.children is None else f"<{text}>"


def alone(root: Node) -> list[str]:
    """The whole configuration as lines of one file. Raises ValueError for a word that cannot be written."""
    return list(written(root.children or ()))


def written(nodes: Iterable[Node], depth: int = 0) -> Iterator[str]:
    """The lines of the directives, in their blocks."""
    for node in nodes:
        if node.holds is False or node.name in _REPLACED:
            continue
        if node.name in CONDITIONS and node.holds:
            yield from written(node.children or (), depth)
            continue
        _require_plain(node)
        yield _INDENT * depth + head(node)
        if node.children is not None:
            yield from written(node.children, depth + 1)
            yield f"{_INDENT * depth}</{node.name}>"


def _require_plain(node: Node) -> None:
    if any("\n" in word or "\0" in word for word in node.args):
        raise ValueError(f"{node.place}: a word has a line break")
