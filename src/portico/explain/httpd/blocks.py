"""What stands in a block: the lines of conditions that hold are the block's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portico.explain.httpd.names import CONDITIONS
from portico.explain.node import Node

_LIMITS = ("Limit", "LimitExcept")


def inside(block: Node) -> Iterator[Node]:
    """The directives and blocks of a block, in order, without those that httpd skips."""
    for child in block.children or ():
        if child.holds is False or child.name == "Macro":
            continue
        if child.name in CONDITIONS:
            yield from inside(child)
        else:
            yield child


def every(block: Node, *names: str) -> list[Node]:
    """Those with one of these names."""
    return [child for child in inside(block) if child.name in names]


def last(block: Node, *names: str) -> Node | None:
    """The one that is in force, where a later line replaces an earlier."""
    return next(reversed(every(block, *names)), None)


def latest(blocks: Iterable[Node], *names: str) -> Node | None:
    """The one in force in blocks that are merged in that order."""
    found = None
    for block in blocks:
        found = last(block, *names) or found
    return found


def is_on(node: Node | None) -> bool:
    return node is not None and node.args[:1] != () and node.args[0].lower() in ("on", "true", "yes", "1")


def undecided(block: Node) -> Iterator[Node]:
    """The conditions below of which the files do not tell whether they hold."""
    for child in block.children or ():
        if child.holds is None:
            yield child
        if child.holds is not False and child.name in CONDITIONS:
            yield from undecided(child)


def plain(block: Node) -> Node:
    """The block with the lines of its conditions in place, for readers who know no conditions."""
    return Node(block.name, block.args, block.file, block.line, tuple(inside(block)))


def for_method(block: Node, method: str) -> Iterator[Node]:
    """As `inside`, with the lines of <Limit> and <LimitExcept> for a request of that method."""
    for child in inside(block):
        if child.name not in _LIMITS:
            yield child
        elif (method in child.args) == (child.name == "Limit"):
            yield from inside(child)
