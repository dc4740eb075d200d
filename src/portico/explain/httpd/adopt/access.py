"""Who may come: the Require lines of a block as [access]."""

from __future__ import annotations

import re

from portico.explain.httpd.adopt.work import Work
from portico.explain.httpd.blocks import every, last
from portico.explain.node import Node

NAMES = (
    "Require", "RequireAll", "RequireAny", "RequireNone", "AuthType", "AuthName", "AuthUserFile", "AuthBasicProvider",
    "AuthGroupFile", "Order", "Allow", "Deny", "Satisfy", "AuthDigestProvider",
)  # fmt: skip
_OLD = ("Order", "Allow", "Deny")
_EVERYBODY = ("0.0.0.0/0", "::/0")
_RANGE = re.compile(r"[0-9a-f.:]+(?:/\d+)?")
_HERE = ("127.0.0.0/8", "::1/128")


def has_rules(block: Node) -> bool:
    return bool(every(block, *NAMES))


def adopt_access(work: Work, block: Node, path: str) -> None:
    """[access] for a path and all below, from the lines of a block."""
    for node in every(block, *NAMES):
        work.seen.add(node)
    rules, how = _rules(block)
    allowed = [(node, range_) for node in rules for range_ in _ranges(node)]
    asks = next((node for node in rules if node.args[:1] in (("valid-user",), ("user",))), None)
    strange = [node for node in rules if not _is_known(node)]
    if _is_old(block):
        _old(work, block, path)
        return
    if strange:
        _close(work, strange[0], path, "this rule has no place in [access]")
        return
    if allowed and asks and how == "RequireAny":
        _close(work, asks, path, "an address or a password is enough here, and Portico asks for both")
        return
    if any(node.args[:2] == ("all", "denied") for node in rules):
        work.option(("access", path, "deny"), _EVERYBODY, rules[0])
    for node, range_ in allowed:
        work.option(("access", path, "allow"), (range_,), node)
    if asks:
        _passwords(work, block, path, asks)
    for node in rules:
        if node.args[:1] == ("method",):
            work.option(("access", path, "methods"), tuple(node.args[1:]), node)


def _close(work: Work, node: Node, path: str, why: str) -> None:
    """Nobody comes in where a rule cannot be kept."""
    work.option(
        ("access", path, "deny"), _EVERYBODY, node, "closed to everybody until you write the rule yourself"
    )
    work.lost(
        node, f"{why}: the path is closed", f'write [access."{path}"] with allow, users, methods or auth'
    )


def _is_old(block: Node) -> bool:
    return bool(every(block, *_OLD)) and not every(block, "Require")


def _old(work: Work, block: Node, path: str) -> None:
    """Order, Allow and Deny: everybody, or these addresses alone."""
    lines = every(block, "Allow", "Deny")
    words = [(node, word.lower()) for node in lines for word in node.args[1:]]
    denied = [node for node, word in words if node.name == "Deny" and word == "all"]
    allowed = [(node, word) for node, word in words if node.name == "Allow" and word != "all"]
    is_open = any(node.name == "Allow" and word == "all" for node, word in words) and not denied
    if is_open and not [node for node, word in words if node.name == "Deny"]:
        work.built_in(lines[0], "everybody may come")
    elif denied and all(_RANGE.fullmatch(word) for _, word in allowed):
        for node, word in allowed:
            work.option(("access", path, "allow"), (word,), node)
        if not allowed:
            work.option(("access", path, "deny"), _EVERYBODY, denied[0])
    else:
        _close(work, (lines or every(block, *_OLD))[0], path, "the old rules have no place in [access]")


def _rules(block: Node) -> tuple[list[Node], str]:
    """The Require lines, and whether one is enough (RequireAny) or all are needed."""
    inner = every(block, "RequireAll", "RequireAny")
    if len(inner) == 1:
        return every(inner[0], "Require", "RequireNone"), inner[0].name
    lines = [*every(block, "Require", "RequireNone"), *inner]
    kinds = {node.args[0] for node in lines if node.args}
    return lines, "RequireAny" if len(kinds) > 1 else "RequireAll"


def _is_known(node: Node) -> bool:
    words = [word.lower() for word in node.args]
    return (
        node.name == "Require" and bool(words) and words[0] in ("all", "ip", "local", "valid-user", "method")
    )


def _ranges(node: Node) -> list[str]:
    if node.args[:1] == ("local",):
        return list(_HERE)
    return list(node.args[1:]) if node.args[:1] == ("ip",) else []


def _passwords(work: Work, block: Node, path: str, asks: Node) -> None:
    file = last(block, "AuthUserFile") or work.view.setting("AuthUserFile")
    kind = last(block, "AuthType") or work.view.setting("AuthType")
    if file is None or not file.args or (kind and kind.args[:1] != ("Basic",)):
        work.lost(
            asks, "Portico knows passwords of Basic authentication in a file", f'[access."{path}"] users'
        )
        return
    differs = "the realm is Portico's, guesses are limited, and the app gets REMOTE_USER, not the password"
    work.option(("access", path, "users"), file.args[0], asks, differs)
