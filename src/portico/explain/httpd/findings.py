"""What an expert would say is wrong with an httpd configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from portico.explain.finding import HARMS, Backend, Finding, Fix, Harm
from portico.explain.httpd.blocks import every, inside, is_on, last
from portico.explain.httpd.rewrite import is_on_in, rules_of
from portico.explain.httpd.servers import addresses_of, hosts_of, listens_of, title
from portico.explain.httpd.sources import PROXIES, REDIRECTS, line_of
from portico.explain.httpd.written import head
from portico.explain.node import Node
from portico.place.model import Build

_OLD_NAMES = ("Order", "Allow", "Deny")
_CODE_OF_AN_APP = re.compile(r"\.(?:py|wsgi)$")


class _Config(NamedTuple):
    """A configuration, and its main server with every virtual host."""

    root: Node
    servers: list[Node]


def findings(root: Node, build: Build | None = None, backends: Sequence[Backend] = ()) -> list[Finding]:
    """The faults, the worst first. httpd's releases and the app's own settings are not compared."""
    del build, backends
    config = _Config(root, [root, *hosts_of(root)])
    found = {(one.code, one.place): one for find in _FINDERS for one in find(config)}
    return sorted(found.values(), key=lambda one: list(HARMS).index(one.severity))


def _finding(
    code: str, severity: Harm, node: Node, server: Node, what: str, harm: str, how: str, *lines: str
) -> Finding:
    return Finding(
        f"httpd-{code}", severity, node.file, node.line, title(server), what, harm, Fix(how, lines)
    )


def _all(server: Node) -> Iterator[Node]:
    """Every directive that httpd reads in a server, also those in its blocks."""
    for node in inside(server):
        if node.name != "VirtualHost":
            yield node
            yield from _all(node)


def _open_proxy(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        if (node := last(server, "ProxyRequests")) and is_on(node):
            yield _finding(
                "open-proxy", "hole", node, server, "httpd is a proxy to every server that a client names",
                "strangers send spam and attacks through this machine, and reach servers inside its network",
                "ProxyPass needs no ProxyRequests", "ProxyRequests Off",
            )  # fmt: skip


def _forged_clients(config: _Config) -> Iterator[Finding]:
    trusts = [
        one
        for server in config.servers
        for one in every(server, "RemoteIPTrustedProxy", "RemoteIPInternalProxy")
    ]
    for server in config.servers:
        node = last(server, "RemoteIPHeader")
        if node and not trusts and not every(server, "RemoteIPTrustedProxyList", "RemoteIPInternalProxyList"):
            yield _finding(
                "forged-client", "hole", node, server, "every client's own header is believed: no proxy is named",
                "a client writes any address into it, and passes for an allowed one in Require ip and in the logs",
                "name the proxies in front", "RemoteIPTrustedProxy 192.0.2.1",
            )  # fmt: skip


def _never_asked(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        first: Node | None = None
        for node in every(server, *PROXIES):
            line = line_of(node)
            if first is not None and line:
                hint = "put it before that line"
                why = f"{first.text} takes every path before it"
                yield _finding(
                    "never-asked", "breaks", node, server, why, "its paths reach another server", hint
                )
            if line and line.pattern == "/" and not line.is_regex:
                first = node
        if first is not None:
            yield from _redirects_behind(server, first)


def _redirects_behind(server: Node, first: Node) -> Iterator[Finding]:
    for node in every(server, *REDIRECTS):
        line = line_of(node)
        if line and not line.is_regex:
            yield _finding(
                "redirect-behind-proxy", "breaks", node, server, f"{first.text} is asked before any Redirect",
                "the redirect never happens, and the app gets the old address",
                "put an exception before that line", f"ProxyPass {line.pattern} !",
            )  # fmt: skip


def _slashes(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        for node in every(server, "ProxyPass"):
            line = line_of(node)
            if line is None or line.target == "!" or re.search(r"unix:|balancer:", line.target):
                continue
            if line.pattern.endswith("/") and not line.target.endswith("/"):
                yield _slash(node, server, f"ProxyPass {line.pattern} {line.target}/")


def _slash(node: Node, server: Node, fixed: str) -> Finding:
    return _finding(
        "slash", "breaks", node, server, "the path ends in a slash, and the address does not: they are glued together",
        "/a becomes part of the host or of a file's name: 502, 503 or another page", "end both in a slash", fixed,
    )  # fmt: skip


def _idle_rules(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        rules = rules_of(server)
        if rules and not is_on_in(server):
            yield _finding(
                "rewrite-off", "breaks", rules[0].node, server, "RewriteEngine is not on here, and is not inherited",
                "none of these rules does anything, redirects to HTTPS and refusals included",
                "put it before the rules", "RewriteEngine On",
            )  # fmt: skip


def _silent_ports(config: _Config) -> Iterator[Finding]:
    listening = {one.port for one in listens_of(config.root)}
    for host in hosts_of(config.root):
        for one in addresses_of(host) if listening else []:
            if one.port and one.port not in listening:
                yield _finding(
                    "no-listen", "breaks", host, config.root, f"nothing listens on port {one.port}",
                    "connections to it are refused", "add it to the main server", f"Listen {one.port}",
                )  # fmt: skip


def _host_is_lost(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        node = next((one for one in every(server, *PROXIES) if "!" not in one.args[1:2]), None)
        keeps = last(server, "ProxyPreserveHost") or last(config.root, "ProxyPreserveHost")
        if node and not is_on(keeps) and any(re.search(r"https?://", word) for word in node.args):
            yield _finding(
                "host-lost", "breaks", node, server, "the app gets the inner host",
                "its links, redirects and checks of the host are wrong: 400, or links to 127.0.0.1",
                "add it beside that line", "ProxyPreserveHost On",
            )  # fmt: skip


def _scheme_is_lost(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        node = next((one for one in every(server, *PROXIES) if "!" not in one.args[1:2]), None)
        is_tls = is_on(last(server, "SSLEngine"))
        tells = any(
            "x-forwarded-proto" in one.text.lower() for one in _all(server) if one.name == "RequestHeader"
        )
        if node and is_tls and not tells and any(word.startswith("http") for word in node.args):
            yield _finding(
                "scheme-lost", "loss", node, server, "the app does not learn that the client came by HTTPS",
                "it makes http:// links, redirects in a circle, and sends cookies without Secure",
                "add it beside that line", 'RequestHeader set X-Forwarded-Proto "https"',
            )  # fmt: skip


def _listings(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        for node in _all(server):
            if node.name == "Options" and any(
                word.lower().lstrip("+") in ("indexes", "all") for word in node.args
            ):
                yield _finding(
                    "listing", "hole", node, server, "folders without an index show all their files",
                    "strangers find backups, uploads and whatever else lies there", "take it away", "Options -Indexes",
                )  # fmt: skip


def _some_methods(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        for node in _all(server):
            if node.name == "Limit" and any(one.name in ("Require", *_OLD_NAMES) for one in inside(node)):
                yield _finding(
                    "limit", "hole", node, server, f"the rules hold for {' '.join(node.args)} alone",
                    "any other method, an invented one too, comes in without them",
                    "take the block away around its lines, or turn it round", "<LimitExcept GET HEAD>",
                )  # fmt: skip


def _old_and_new_rules(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        for block in [server, *(node for node in _all(server) if node.children is not None)]:
            old, new = last(block, *_OLD_NAMES), last(block, "Require")
            if old and new:
                yield _finding(
                    "old-rules", "hint", old, server, f"{head(old)} stands beside {head(new)}: both must hold",
                    "one of them opens what the other closes, and nobody sees which", "write all of it with Require",
                )  # fmt: skip


def _cache_before_doors(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        cache = last(server, "CacheEnable")
        quick = last(server, "CacheQuickHandler") or last(config.root, "CacheQuickHandler")
        closed = any(node.name == "Require" and node.args[:2] != ("all", "granted") for node in _all(server))
        if cache and closed and (quick is None or is_on(quick)):
            yield _finding(
                "cache-before-doors", "hole", cache, server, "the cache answers before anything asks who may come",
                "a page behind a password or an address is served to everybody once it is stored",
                "add it beside that line", "CacheQuickHandler off",
            )  # fmt: skip


def _source_is_served(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        folder = last(server, "DocumentRoot")
        for node in every(server, "WSGIScriptAlias"):
            file = node.args[1] if len(node.args) > 1 else ""
            is_whole = node.args[:1] == ("/",)
            is_below = folder and folder.args and file.startswith(folder.args[0].rstrip("/") + "/")
            if folder and is_below and not is_whole and _CODE_OF_AN_APP.search(file):
                yield _finding(
                        "source", "hole", folder, server, f"the app {file} lies below DocumentRoot",
                        "its source and settings can be downloaded as files", "choose a folder without the app's code",
                    )  # fmt: skip


def _old_tls(config: _Config) -> Iterator[Finding]:
    for server in config.servers:
        node = last(server, "SSLProtocol")
        words = [word.lower() for word in node.args] if node else []
        refuses = {word[1:] for word in words if word.startswith("-")}
        named = {word.lstrip("+") for word in words if not word.startswith("-")}
        if node and (
            named & {"sslv3", "tlsv1", "tlsv1.1"} or ("all" in named and not {"tlsv1", "tlsv1.1"} <= refuses)
        ):
            yield _finding(
                "old-tls", "hole", node, server, "versions before TLS 1.2 are allowed", "they are broken (RFC 8996)",
                "allow the current ones", "SSLProtocol -all +TLSv1.2 +TLSv1.3",
            )  # fmt: skip


_FINDERS: tuple[Callable[[_Config], Iterator[Finding]], ...] = (
    _open_proxy, _forged_clients, _never_asked, _slashes, _idle_rules, _silent_ports, _host_is_lost, _scheme_is_lost,
    _listings, _some_methods, _old_and_new_rules, _cache_before_doors, _source_is_served, _old_tls,
)  # fmt: skip
