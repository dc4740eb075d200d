"""One site while its servers are read."""

from __future__ import annotations

from msgspec import Struct, field

from portico.explain.adopted import Draft, Fate, Key, Value
from portico.explain.nginx.adopt.passes import Target
from portico.explain.nginx.adopt.view import View
from portico.explain.nginx.written import written
from portico.explain.node import Node


class Work(Struct):
    """A draft, the server that it is made from, the app of the site, and the lines that have been seen."""

    draft: Draft
    view: View
    target: Target | None = None
    main: Node | None = None
    """The location of the app of the whole site."""
    seen: set[Node] = field(default_factory=set)
    is_ruled: bool = False
    """The site has no app: rules answer everything."""

    def option(self, key: Key, value: Value, node: Node, differs: str = "") -> None:
        """An option from a line."""
        self.seen.add(node)
        self.draft.set(key, value, node.place, shown(node), differs)

    def route(self, path: str, to: str, node: Node, *, strips: bool = False, differs: str = "") -> None:
        """A rule of [[route]]."""
        self.seen.add(node)
        self.draft.route(path, to, node.place, shown(node), strips=strips, differs=differs)

    def built_in(self, node: Node, why: str) -> None:
        """Portico does it by itself."""
        self._remark(Fate.BUILT_IN, node, why)

    def improved(self, node: Node, why: str) -> None:
        """Portico does something better."""
        self._remark(Fate.IMPROVED, node, why)

    def lost(self, node: Node, why: str, do: str = "") -> None:
        """It cannot be kept."""
        self._remark(Fate.LOST, node, why, do)

    def keep(self, *nodes: Node, passes: tuple[str, ...] = (), is_above: bool = False) -> None:
        """The lines verbatim, if nginx could read them again."""
        self.seen.update(nodes)
        try:
            text = "\n".join(written(nodes))
        except ValueError as error:
            self.lost(nodes[0], f"one of its words {error}")
            return
        if "\ufffd" in text:
            self.lost(nodes[0], "is not UTF-8 text", "save the file as UTF-8")
            return
        self.draft.keep(text, nodes[0].place, passes, is_above=is_above)

    def _remark(self, fate: Fate, node: Node, why: str, do: str = "") -> None:
        self.seen.add(node)
        self.draft.remark(fate, node.place, shown(node), why, do)


_LONGEST = 100


def shown(node: Node) -> str:
    """A line for people, without its block and at most 100 characters long."""
    text = " ".join(f"{node.text}{' { ... }' if node.children is not None else ''}".split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
