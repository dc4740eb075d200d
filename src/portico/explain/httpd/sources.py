"""What answers a path: the lines that map it, in the order in which httpd's modules ask (translate_name)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from portico.explain.httpd.blocks import every, inside, last
from portico.explain.httpd.paths import is_wild, matched
from portico.explain.httpd.sections import pattern_of
from portico.explain.node import Node
from portico.explain.pcre import found, groups

PROXIES = ("ProxyPass", "ProxyPassMatch")
REDIRECTS = ("Redirect", "RedirectMatch", "RedirectPermanent", "RedirectTemp")
ALIASES = ("Alias", "AliasMatch", "ScriptAlias", "ScriptAliasMatch")
WSGI = ("WSGIScriptAlias", "WSGIScriptAliasMatch")
SOURCES = (*PROXIES, *REDIRECTS, *ALIASES, *WSGI)
_STATUSES = {"permanent": "301", "temp": "302", "seeother": "303", "gone": "410"}
_BACK = re.compile(r"\$(\d)|\\([$&\\])")


class Line(Struct, frozen=True):
    """A line that may answer: what it is for, and where it leads. `block` is the <Location> in which it stands."""

    node: Node
    pattern: str
    is_regex: bool
    target: str
    block: Node | None = None
    status: str = ""
    adds_rest: bool = True
    """Whether what follows the pattern is added to the target."""

    def leads(self, uri: str) -> str | None:
        """Where a path leads; None if the line is not for it."""
        if self.is_regex:
            one = found(self.pattern, uri)
            if one is None:
                return None
            parts = groups(one)
            return _BACK.sub(lambda back: _group(parts, back), self.target)
        is_whole = self.block is not None and is_wild(self.pattern)
        at = 0 if is_whole else matched(self.pattern, uri)
        if at is None:
            return None
        rest = uri[at:]
        return self.target + rest if self.adds_rest else self.target

    @property
    def title(self) -> str:
        return f"{self.node.name} {self.pattern}"


def _group(parts: list[str], back: re.Match[str]) -> str:
    if back[2]:
        return back[2]
    return parts[int(back[1])] if int(back[1]) < len(parts) else ""


def line_of(node: Node, block: Node | None = None) -> Line | None:
    """One of SOURCES; None for a line of another kind (`Redirect` alone, no words)."""
    args, name = list(node.args), node.name
    is_regex = name.endswith("Match")
    status = ""
    if name in REDIRECTS:
        status = {"RedirectPermanent": "301"}.get(name, "302")
        if name.startswith("Redirect") and args and (args[0].lower() in _STATUSES or args[0].isdigit()):
            first = args.pop(0).lower()
            status = _STATUSES.get(first, first)
    if name in PROXIES:
        args = [word for number, word in enumerate(args) if number < 1 or not _is_option(word)]
    wanted = 1 if name in REDIRECTS and not status.startswith("3") else 2
    if block is not None and (name in PROXIES or len(args) < wanted):
        pattern, in_regex = pattern_of(block)
        return Line(
            node,
            pattern,
            is_regex or (in_regex and name != "ProxyPass"),
            args[0] if args else "",
            block,
            status,
            name in PROXIES,
        )
    if not args or len(args) < wanted:
        return None
    return Line(node, args[0], is_regex, args[1] if args[1:] else "", block, status)


def _is_option(word: str) -> bool:
    return ("=" in word and not re.match(r"[a-z0-9]+:", word)) or word.lower() in (
        "nocanon",
        "interpolate",
        "noquery",
    )


def of_servers(servers: list[Node], names: tuple[str, ...]) -> list[Line]:
    """The lines of the virtual host, then those of the main server: that order counts."""
    made = (line_of(node) for server in reversed(servers) for node in every(server, *names))
    return [line for line in made if line]


def of_blocks(blocks: list[Node], names: tuple[str, ...]) -> list[Line]:
    """The lines within <Location> and the like, in the order of the merge."""
    made = (line_of(node, block) for block in blocks for node in every(block, *names))
    return [line for line in made if line]


def everything(servers: list[Node]) -> Iterator[tuple[Node, Node | None]]:
    """Every line that could answer some request, with the block in which it stands."""
    for server in reversed(servers):
        yield from _lines(server, None)


def _lines(block: Node, own: Node | None) -> Iterator[tuple[Node, Node | None]]:
    for node in inside(block):
        if node.name in (*SOURCES, "RewriteRule", "DocumentRoot") or is_handler(node):
            yield node, own
        elif node.children is not None and node.name != "VirtualHost":
            yield from _lines(node, node)


def is_handler(node: Node) -> bool:
    """`SetHandler` of something that answers in place of a file."""
    return (
        node.name == "SetHandler"
        and node.args[:1] != ()
        and node.args[0].lower() not in ("none", "default-handler")
    )


def document_root(servers: list[Node]) -> Node | None:
    return next((one for server in reversed(servers) if (one := last(server, "DocumentRoot"))), None)


def does_not_match(line: Line, uri: str) -> str:
    if line.is_regex:
        return f"the pattern {line.pattern} does not match"
    if is_wild(line.pattern):
        return f"{line.pattern} is no pattern here: only its letters would match"
    return f"the path {uri} does not begin with {line.pattern}"
