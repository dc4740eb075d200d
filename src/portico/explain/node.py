"""A configuration as a tree."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct


class Node(Struct, frozen=True, eq=False):
    """One directive, equal only to itself: `args` as its program parses them, `children` None unless it has a block."""

    name: str
    args: tuple[str, ...] = ()
    file: str = ""
    line: int = 0
    children: tuple[Node, ...] | None = None
    holds: bool | None = True
    """False: its program skips this; None: whether it does depends on the machine."""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def text(self) -> str:
        """Its text without its block."""
        return " ".join([self.name, *self.args])

    def all(self, name: str) -> list[Node]:
        """The children of that name."""
        return [child for child in self.children or () if child.name == name]

    def first(self, *names: str) -> Node | None:
        return next((child for child in self.children or () if child.name in names), None)

    def saying(self, *names: str) -> Node | None:
        """Itself if it has one of these names, or else its first child that has."""
        return self if self.name in names else self.first(*names)

    def walk(self) -> Iterator[tuple[Node, tuple[Node, ...]]]:
        """Every node below, each with its ancestors, this one first."""
        for child in self.children or ():
            yield child, (self,)
            for node, above in child.walk():
                yield node, (self, *above)
