"""What an object of Kubernetes is made of, before it is text: dicts, lists and leaves, and why a line is there.

Some leaves have a name in the chart's values.yaml. The plain YAML has their defaults, so both forms say the same.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

Tree = Any
"""A dict with str keys, a list, or a leaf: str, int, bool, or one of the classes below."""


class Because(Struct, frozen=True):
    """A tree with its reason: a comment above it."""

    why: str
    tree: Tree


class Named(Struct, frozen=True):
    """The name of the site's objects, with a suffix: that of the site, or of the chart's release."""

    suffix: str = ""


class Value(Struct, frozen=True):
    """A leaf, a list or a dict that a chart's user may set. `path` is its place in values.yaml: "image.tag"."""

    path: str
    default: Tree
    why: str = ""


class Joined(Struct, frozen=True):
    """One string of several parts."""

    parts: tuple[str | Value | Named | Item, ...]


class Item(Struct, frozen=True):
    """Within `ForEach`: the text."""


class ForEach(Struct, frozen=True):
    """In a list: an item for each text of the value."""

    value: Value
    tree: Tree


class Checksum(Struct, frozen=True):
    """Of a value: where it stands, a change of the value makes new pods."""

    value: Value


class If(Struct, frozen=True):
    """An entry of a dict, or an item of a list, that is there if the value is not empty; with `is_not` if it is."""

    value: Value
    tree: Tree
    is_not: bool = False


class Document(Struct, frozen=True):
    """One object, and the name of its file. It is left out if `when` is empty, or `unless` is not."""

    file: str
    tree: Tree
    when: Value | None = None
    unless: Value | None = None


def values_of(tree: Tree) -> list[Value]:
    """Every value in it, each once, in the order in which they stand there."""
    found = dict[str, Value]()
    _collect(tree, found)
    return list(found.values())


def _collect(tree: Tree, found: dict[str, Value]) -> None:
    match tree:
        case Value():
            found.setdefault(tree.path, tree)
        case Because(_, inner):
            _collect(inner, found)
        case Joined(parts):
            _collect(list(parts), found)
        case Checksum(value):
            _collect(value, found)
        case ForEach(value, inner) | If(value, inner):
            _collect([value, inner], found)
        case Document():
            _collect([tree.when, tree.unless, tree.tree], found)
        case dict():
            _collect(list(tree.values()), found)
        case list() | tuple():
            for one in tree:
                _collect(one, found)
        case _:
            pass


def with_item(tree: Tree, text: str) -> Tree:
    """The tree with that text in place of `Item`."""
    match tree:
        case Item():
            return text
        case Joined(parts):
            return Joined(tuple(with_item(one, text) for one in parts))
        case Because(why, inner):
            return Because(why, with_item(inner, text))
        case dict():
            return {key: with_item(one, text) for key, one in tree.items()}
        case list():
            return [with_item(one, text) for one in tree]
    return tree
