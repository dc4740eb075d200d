"""One site while its lines are read."""

from __future__ import annotations

from msgspec import Struct, field

from portico.explain.adopted import Draft, Fate, Key, Value
from portico.explain.httpd.adopt.view import Target, View
from portico.explain.httpd.written import head
from portico.explain.node import Node

_LONGEST = 100


class Work(Struct):
    """A draft, the virtual host that it is made from, the app of the site, and the lines that have been seen."""

    draft: Draft
    view: View
    target: Target | None = None
    seen: set[Node] = field(default_factory=set)

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

    def keep(self, text: str, node: Node, passes: tuple[str, ...] = ()) -> None:
        """The same in nginx's language, which serves the site."""
        self.seen.add(node)
        self.draft.keep(text, node.place, passes)

    def _remark(self, fate: Fate, node: Node, why: str, do: str = "") -> None:
        self.seen.add(node)
        self.draft.remark(fate, node.place, shown(node), why, do)


def shown(node: Node) -> str:
    """A line for people, at most 100 characters long."""
    text = " ".join(head(node).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
