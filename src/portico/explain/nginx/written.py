"""A tree as text that nginx reads: each directive on a line of its own, includes in their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portico.explain.node import Node
from portico.plan.gateway.nginx.syntax import quote

_INDENT = "    "
_REGEX = ("~", "~*")


def written(nodes: Iterable[Node], depth: int = 0) -> Iterator[str]:
    """The lines of the directives. Raises ValueError for a word that nginx could not read."""
    for node in nodes:
        if node.name == "include" and node.children is None:
            continue  # what it names stands behind it
        head = _INDENT * depth + head_of(node)
        if node.children is None:
            yield f"{head};"
            continue
        yield f"{head} {{"
        yield from written(node.children, depth + 1)
        yield f"{_INDENT * depth}}}"


def head_of(node: Node) -> str:
    """A directive with its quotes, without its block."""
    if node.name == "if":  # its condition is no word, and is quoted inside
        return " ".join(["if", *node.args])
    return " ".join(_escaped(quote(word)) for word in (node.name, *node.args))


_LETTERS = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(word: str) -> str:
    """A quoted word on one line: nginx reads these letters behind a backslash, and what prints it may indent lines."""
    return "".join(_LETTERS.get(letter, letter) for letter in word)


_OUTSIDE = frozenset({
    "worker_processes", "worker_rlimit_nofile", "events", "http", "stream", "mail", "user", "pid",
    "load_module", "env", "daemon", "master_process", "worker_cpu_affinity", "worker_priority",
    "worker_shutdown_timeout", "pcre_jit", "thread_pool",
})  # fmt: skip
"""Directives that stand outside of http only."""


def alone(root: Node) -> list[str]:
    """The whole configuration as the lines of one nginx.conf. Raises ValueError for a word that cannot be written."""
    children = list(root.children or ())
    inside = [] if root.first("http") else [one for one in children if one.name not in _OUTSIDE]
    outside = [one for one in children if one not in inside]
    lines = list(written(outside))
    if inside:
        lines += ["http {", *written(inside, 1), "}"]
    return lines if root.first("events") else ["events {", "}", *lines]
