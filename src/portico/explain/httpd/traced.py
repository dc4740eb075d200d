"""What a trace asks of single lines: where a file comes from, and what is set for the server that had the request."""

from __future__ import annotations

from portico.explain.httpd.rewrite import flags_of
from portico.explain.node import Node

_NO_FILE = frozenset({"R", "F", "G", "P", "PT", "H"})
"""Flags of a rule that answers in another way, or leaves it to another line or handler."""
_ALIASES = ("Alias", "AliasMatch")


def files(location: Node) -> tuple[Node, str] | None:
    """The line, and the folder or file that it sends; None if it sends none."""
    where = _where(location)
    return (location, where) if where else None


def _where(line: Node) -> str:
    if line.name == "DocumentRoot":
        return (*line.args, "")[0]
    target, flags = (*line.args, "", "", "")[1:3]
    if line.name in _ALIASES:
        return target
    is_file = line.name == "RewriteRule" and target.startswith("/") and not _NO_FILE & flags_of(flags).keys()
    return target.removesuffix("$1") if is_file else ""


def member(root: Node, address: str) -> Node | None:
    """The line about a server, by the address in the log: of a unix socket that is its name alone."""
    for node, _ in root.walk():
        url = (*node.args, "")[0].rpartition("|")[2]
        if node.name == "BalancerMember" and url.rstrip("/") == address.rstrip("/"):
            return node
    return None
