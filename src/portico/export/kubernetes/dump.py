"""Trees as YAML: with the defaults of the values, or as templates of Helm. https://yaml.org/spec/1.2.2/"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Protocol

from portico.export.kubernetes.tree import (
    Because,
    Checksum,
    Document,
    ForEach,
    If,
    Item,
    Joined,
    Named,
    Tree,
    Value,
    with_item,
)

Leaf = Value | Named | Joined | Item | Checksum

_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_MEANS_MORE = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
"""Words that some readers of YAML take for something else than text."""
_CONTROL = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


class Style(Protocol):
    """How the leaves are written, and what stands around what may be left out."""

    def text(self, text: str) -> str:
        """Text of the site's own, where it means nothing to the reader of a template."""

    def leaf(self, leaf: Leaf) -> str:
        """One leaf, quoted where it must be."""

    def block(self, value: Value, indent: int, /) -> list[str] | None:
        """The lines of a value that is a list or a dict; None if it is to be written like any other."""

    def each(self, each: ForEach) -> tuple[list[str], list[Tree], list[str]]:
        """The lines before the items, the items, the lines after them."""

    def when(self, value: Value, *, is_not: bool = False) -> tuple[list[str], list[str]] | None:
        """The lines before and after what depends on a value; None if it is left out."""


def documents(made: Sequence[Document], style: Style) -> Iterator[tuple[str, list[str]]]:
    """The file and the lines of each object that is there."""
    for one in made:
        first, last = list[str](), list[str]()
        for value, is_not in ((one.when, False), (one.unless, True)):
            if value is None:
                continue
            around = style.when(value, is_not=is_not)
            if around is None:
                break
            first, last = first + around[0], around[1] + last
        else:
            yield one.file, [*first, *dump(one.tree, style), *last]


def dump(tree: Tree, style: Style, indent: int = 0) -> list[str]:
    """The lines of a dict or a list."""
    match tree:
        case Because(why, inner):
            return [*comment(why, style, indent), *dump(inner, style, indent)]
        case dict():
            return [line for key, one in tree.items() for line in _entry(key, one, style, indent)]
        case list():
            return [line for one in tree for line in _item(one, style, indent)]
        case Value() if (lines := style.block(tree, indent)) is not None:
            return lines
        case Value():
            return dump(tree.default, style, indent)
    raise TypeError(f"no dict and no list: {tree!r}")


def comment(text: str, style: Style, indent: int) -> list[str]:
    """Lines of a comment."""
    lines = textwrap.wrap(style.text(text), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"{' ' * indent}# {line}" for line in lines]


def _entry(key: str, tree: Tree, style: Style, indent: int) -> Iterator[str]:
    pad = " " * indent
    if isinstance(tree, Value) and not _is_leaf(tree) and style.block(tree, indent) is None:
        tree = tree.default
    if isinstance(tree, Because):
        yield from comment(tree.why, style, indent)
        yield from _entry(key, tree.tree, style, indent)
    elif isinstance(tree, If):
        if around := style.when(tree.value, is_not=tree.is_not):
            yield from around[0]
            yield from _entry(key, tree.tree, style, indent)
            yield from around[1]
    elif _is_leaf(tree):
        yield f"{pad}{scalar(key, style)}: {scalar(tree, style)}"
    elif not tree:
        yield f"{pad}{scalar(key, style)}: {'[]' if isinstance(tree, list) else '{}'}"
    else:
        yield f"{pad}{scalar(key, style)}:"
        yield from dump(tree, style, indent + 2)


def _item(tree: Tree, style: Style, indent: int) -> Iterator[str]:
    pad = " " * indent
    if isinstance(tree, Because):
        yield from comment(tree.why, style, indent)
        yield from _item(tree.tree, style, indent)
    elif isinstance(tree, ForEach):
        before, items, after = style.each(tree)
        yield from before
        for one in items:
            yield from _item(one, style, indent)
        yield from after
    elif isinstance(tree, If):
        if around := style.when(tree.value, is_not=tree.is_not):
            yield from around[0]
            yield from _item(tree.tree, style, indent)
            yield from around[1]
    elif _is_leaf(tree):
        yield f"{pad}- {scalar(tree, style)}"
    else:
        lines = dump(tree, style, indent + 2)
        first = next(n for n, line in enumerate(lines) if not line.lstrip().startswith("#"))
        for number, line in enumerate(lines):
            if number < first:
                yield line[2:]
            else:
                yield f"{pad}- {line[indent + 2 :]}" if number == first else line


def _is_leaf(tree: Tree) -> bool:
    return isinstance(tree, str | int | bool | Named | Joined | Item | Checksum) or (
        isinstance(tree, Value) and not isinstance(tree.default, list | dict)
    )


def scalar(leaf: Tree, style: Style) -> str:
    """One leaf, quoted where it must be."""
    if isinstance(leaf, Value | Named | Joined | Item | Checksum):
        return style.leaf(leaf)
    if isinstance(leaf, bool | int):
        return json.dumps(leaf)
    return style.text(quoted(leaf))


def quoted(text: str) -> str:
    """Text that every reader takes for text."""
    if _PLAIN.fullmatch(text) and text.lower() not in _MEANS_MORE:
        return text
    made = json.dumps(text, ensure_ascii=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", made)


class Plain:
    """The objects as they are, with the defaults of all values."""

    def __init__(self, name: str) -> None:
        self._name = name

    def text(self, text: str) -> str:
        return text

    def leaf(self, leaf: Leaf) -> str:
        value = self._value(leaf)
        return quoted(value) if isinstance(value, str) else json.dumps(value)

    def _value(self, leaf: Leaf | str) -> Tree:
        match leaf:
            case Named(suffix):
                return f"{self._name}{suffix}"
            case Joined(parts):
                return "".join(str(self._value(one)) for one in parts)
            case Checksum(value):
                text = "\n".join(dump(value.default, self))  # as Helm's toYaml
                return hashlib.sha256(text.encode()).hexdigest()
            case Value(_, default):
                return default
        return leaf

    def block(self, _value: Value, _indent: int) -> list[str] | None:
        return None

    def each(self, each: ForEach) -> tuple[list[str], list[Tree], list[str]]:
        return [], [with_item(each.tree, one) for one in each.value.default], []

    def when(self, value: Value, *, is_not: bool = False) -> tuple[list[str], list[str]] | None:
        return ([], []) if bool(value.default) is not is_not else None


class Helm:
    """Templates of a chart. https://helm.sh/docs/chart_template_guide/"""

    def text(self, text: str) -> str:
        return text.replace("{{", '{{ "{{" }}')

    def leaf(self, leaf: Leaf) -> str:
        match leaf:
            case Named() | Joined() | Item():
                return f'"{self._inside(leaf)}"'
            case Checksum(value):
                return f"{{{{ toYaml $.Values.{value.path} | sha256sum }}}}"
            case Value(path, str()):
                return f"{{{{ $.Values.{path} | quote }}}}"
        return f"{{{{ $.Values.{leaf.path} }}}}"

    def _inside(self, leaf: Leaf | str) -> str:
        """Within quotes."""
        match leaf:
            case Named(suffix):
                return f"{{{{ $.Release.Name }}}}{suffix}"
            case Joined(parts):
                return "".join(map(self._inside, parts))
            case Value(path):
                return f"{{{{ $.Values.{path} }}}}"
            case Item():
                return "{{ . }}"
            case str():
                return self.text(json.dumps(leaf, ensure_ascii=False)[1:-1])
        raise TypeError(f"not within quotes: {leaf!r}")

    def block(self, value: Value, indent: int) -> list[str] | None:
        return [f"{' ' * indent}{{{{- toYaml $.Values.{value.path} | nindent {indent} }}}}"]

    def each(self, each: ForEach) -> tuple[list[str], list[Tree], list[str]]:
        return [f"{{{{- range $.Values.{each.value.path} }}}}"], [each.tree], ["{{- end }}"]

    def when(self, value: Value, *, is_not: bool = False) -> tuple[list[str], list[str]] | None:
        return ["{{- if " + ("not " if is_not else "") + f"$.Values.{value.path} }}}}"], ["{{- end }}"]
