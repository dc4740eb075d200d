"""What a client writes where it should not: into addresses, headers and redirects."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.findings.config import (
    Config,
    added,
    instead,
    is_pattern,
    removed,
    variables,
    written,
)
from portico.explain.nginx.findings.patterns import takes_newlines
from portico.explain.nginx.locations import rule
from portico.explain.node import Node

_DECODED = ("uri", "document_uri")
_SAID = re.compile(
    r"arg_\w+|args|query_string|http_\w+|cookie_\w+|uri|document_uri|request_uri|request_body|host|\d"
)
_DEPTH = 4
_MOVED = ("301", "302", "303", "307", "308")


def said(config: Config, node: Node, text: str, depth: int = 0) -> set[str]:
    """The variables in a text whose value a client chooses, through `set` and `map`."""
    found = set[str]()
    for name in variables(text):
        if _SAID.fullmatch(name):
            found.add(name)
        elif depth < _DEPTH:
            for source in _sources(config, node, name):
                found |= said(config, node, source, depth + 1)
            if _is_captured(config, node, name):
                found.add(name)
    return found


def _sources(config: Config, node: Node, name: str) -> Iterator[str]:
    server = config.server_of(node)
    for one in config.named("set"):
        if len(one.args) > 1 and one.args[0] == f"${name}" and server in (None, *config.above[one]):
            yield one.args[1]
    for table in config.named("map"):
        if table.args[1:] == (f"${name}",):
            yield from (row.args[0] for row in table.children or () if row.args)


def _is_captured(config: Config, node: Node, name: str) -> bool:
    server = config.server_of(node)
    lines = [
        *(server.all("server_name") if server else ()),
        *(one for one in config.levels(node) if is_pattern(one)),
    ]
    return any(f"(?<{name}>" in word or f"(?P<{name}>" in word for one in lines for word in one.args)


def targets(config: Config) -> Iterator[Finding]:
    """A client that chooses where nginx connects."""
    for node in config.passes:
        target = config.target(node)
        names = {name for name in said(config, node, target.host) if not _is_path(config, node, name)}
        if not names:
            continue
        shown = ", ".join(f"${name}" for name in sorted(names))
        is_proxy = names <= {"host", "http_host"}
        yield config.finding(
            "open-proxy" if is_proxy else "ssrf",
            node,
            f"the client chooses the server that nginx connects to, by {shown}",
            "anybody uses this machine as a proxy, into its own network as well"
            if is_proxy
            else "anybody reaches databases and cloud metadata (169.254.169.254) through it",
            instead(
                "map $arg_shard $backend { a 10.0.0.5:8000; b 10.0.0.6:8000; default 10.0.0.5:8000; }",
                written(node.name, "http://$backend"),
            ),
        )


def tunnels(config: Config) -> Iterator[Finding]:
    """A forward proxy for CONNECT (nginx 1.31.0): without an address it leads wherever the client says."""
    for node in config.named("tunnel_pass"):
        level = config.parent(node)
        is_chosen = not node.args or any(f"${name}" in node.args[0] for name in ("host", "http_host"))
        if is_chosen and config.is_open(level):
            yield config.finding(
                "open-proxy",
                node,
                "the client chooses the server that this tunnel leads to",
                "anybody uses this machine as a proxy, into its own network as well",
                added(level, written("allow", "10.0.0.0/8"), written("deny", "all")),
            )


def resolvers(config: Config) -> Iterator[Finding]:
    """A name that comes from a variable is looked up at each request."""
    for node in config.passes:
        target = config.target(node)
        if (
            "$" not in (node.args[0] if node.args else "")
            or target.host.startswith("unix:")
            or config.http is None
        ):
            continue
        texts = [target.host] if "$" not in target.host else list(_texts(config, node, target.host))
        upstreams = {one.args[0] for one in config.named("upstream") if one.args}
        named = [
            text
            for text in texts
            if re.search(r"[a-zA-Z]", text) and _bare(text) not in upstreams and "$" not in text
        ]
        if named and not config.in_force(config.parent(node), "resolver"):
            yield config.finding(
                "no-resolver",
                node,
                f"the name {_bare(named[0])} is looked up at each request, and no resolver is said",
                "every request answers 502",
                added(config.parent(node), written("resolver", "127.0.0.53")),
            )


def _texts(config: Config, node: Node, host: str) -> Iterator[str]:
    for name in variables(host):
        yield from _sources(config, node, name)


def _bare(text: str) -> str:
    return text.rpartition("//")[2].partition("/")[0].partition(":")[0]


def decoded_targets(config: Config) -> Iterator[Finding]:
    """The decoded path in the request line to the server."""
    for node in config.named("proxy_pass"):
        rest = config.target(node).uri or (node.args[0] if node.args else "")
        if set(variables(rest)) & set(_DECODED) or _breaks(config, node, rest):
            yield config.finding(
                "request-splitting",
                node,
                "the path that nginx has decoded is written into the request line",
                "GET /x%0d%0aX-User:%20admin adds headers, or a whole request, to what the app sees",
                instead(
                    written(
                        "proxy_pass", re.sub(r"\$\{?(?:uri|document_uri)\}?.*", "$request_uri", node.args[0])
                    )
                )
                if "uri" in rest
                else removed("pass the path as it is: proxy_pass without a path"),
            )


def split(config: Config) -> Iterator[Finding]:
    """A decoded path in a header of the answer."""
    for node in config.named("return", "rewrite", "add_header", "proxy_set_header"):
        if node.name == "return":
            text = node.args[-1] if node.args and (node.args[0] in _MOVED or len(node.args) == 1) else ""
        elif node.name == "rewrite":
            is_redirect = len(node.args) > 2 and (
                node.args[2] in ("permanent", "redirect") or "://" in node.args[1]
            )
            text = node.args[1] if is_redirect else ""
        else:
            text = node.args[1] if len(node.args) > 1 else ""
        is_bad = set(variables(text)) & set(_DECODED) or (
            node.name != "rewrite" and _breaks(config, node, text)
        )
        if is_bad:
            better = re.sub(r"\$\{?(?:uri|document_uri)\}?(?:\$is_args\$args)?", "$request_uri", text)
            yield config.finding(
                "header-splitting",
                node,
                "the path that nginx has decoded is written into a header",
                "a link with %0d%0a sets cookies or a page of an attacker's in the visitor's browser",
                instead(written(node.name, *(better if word == text else word for word in node.args)))
                if better != text
                else instead("# a class that excludes line ends, such as [^/\\s]"),
            )


def _breaks(config: Config, node: Node, text: str) -> bool:
    """Whether a text has a capture of a location's pattern that a line's end passes."""
    names = variables(text)
    for level in config.levels(node):
        if not is_pattern(level):
            continue
        pattern = rule(level).pattern
        for name in names:
            group = _group(pattern, name)
            if group and takes_newlines(group):
                return True
    return False


def _is_path(config: Config, node: Node, name: str) -> bool:
    """Whether a capture begins with a slash."""
    return any(
        _group(rule(one).pattern, name).startswith("(/") for one in config.levels(node) if is_pattern(one)
    )


def _group(pattern: str, name: str) -> str:
    """The text of a group, by number or by name; empty without it."""
    starts = [at for at, sign in enumerate(pattern) if sign == "(" and (at == 0 or pattern[at - 1] != "\\")]
    groups = [at for at in starts if not re.match(r"\(\?(?![P<])", pattern[at:])]
    named = re.search(rf"\(\?P?<{re.escape(name)}>", pattern)
    if name.isdigit() and 0 < int(name) <= len(groups):
        begin = groups[int(name) - 1]
    elif named:
        begin = named.start()
    else:
        return ""
    depth = 0
    for at in range(begin, len(pattern)):
        depth += (at in starts) - (pattern[at] == ")" and pattern[at - 1] != "\\")
        if depth == 0:
            return pattern[begin : at + 1]
    return pattern[begin:]


def raw_redirects(config: Config) -> Iterator[Finding]:
    """A redirect to wherever a parameter says."""
    for node in config.named("return", "rewrite"):
        text = (
            node.args[-1]
            if node.name == "return" and node.args
            else (node.args[1] if len(node.args) > 1 else "")
        )
        found = re.match(r"(?:https?://)?\$\{?(arg_\w+|http_(?!host)\w+|cookie_\w+)", text)
        if found and (node.name == "rewrite" or node.args[0] in _MOVED or len(node.args) == 1):
            yield config.finding(
                "open-redirect",
                node,
                f"the client chooses where it is sent, by ${found[1]}",
                "a link with your name leads to a copy of your sign-in page",
                instead(written("return", 302, "/")),
            )


FINDERS = (targets, tunnels, resolvers, decoded_targets, split, raw_redirects)
