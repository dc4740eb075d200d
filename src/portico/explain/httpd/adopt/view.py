"""A virtual host as adoption looks at it: its names and ports, what it passes on, and where it only redirects."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from portico.explain.httpd.blocks import every, inside, is_on, last
from portico.explain.httpd.rewrite import Rule, rules_of
from portico.explain.httpd.sections import pattern_of
from portico.explain.httpd.servers import Address, addresses_of, hosts_of, listens_of, names_of
from portico.explain.httpd.sources import PROXIES, REDIRECTS, WSGI, Line, line_of
from portico.explain.node import Node
from portico.site.upstream_server import Server

_SOCKET = re.compile(r"unix:(?P<path>/[^|]*)\|(?P<scheme>[a-z0-9]+):(?://)?(?P<rest>.*)")
_URL = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<address>\[[^\]]*\](?::\d+)?|[^/?]*)(?P<uri>/.*)?")
_SCHEMES = {"http": "http", "https": "https", "uwsgi": "uwsgi", "fcgi": "fastcgi"}
_EVERYTHING = (
    "^",
    "^/",
    "^/?(.*)",
    "^/?(.*)$",
    "^/(.*)",
    "^/(.*)$",
    "(.*)",
    "^(.*)",
    "^(.*)$",
    ".*",
    "^.*",
    "^.*$",
    "^/.*$",
)
_TO_HTTPS = re.compile(r"https://(?P<host>[^/]+?)(?P<rest>/?(?:%\{REQUEST_URI\}|\$1|))/?")


class Target(Struct, frozen=True):
    """A line that passes requests on. `uri` is the path that takes the place of `prefix`."""

    line: Line
    prefix: str
    scheme: str
    servers: tuple[str, ...]
    uri: str
    words: dict[str, str]
    balancer: Node | None = None

    @property
    def node(self) -> Node:
        return self.line.node

    @property
    def problem(self) -> str:
        """Why Portico cannot take these servers; empty if it can."""
        if self.scheme not in _SCHEMES.values():
            return f"Portico speaks HTTP, uwsgi and FastCGI to servers, not {self.scheme}"
        for text in self.servers:
            try:
                Server.parse(text)
            except ValueError as error:
                return f'"{text}" is no server for Portico: {error}'
        return "" if self.servers else "it names no server"

    @property
    def told(self) -> str:
        """How the parameters of a FastCGI server differ; empty for other servers."""
        if self.scheme != "fastcgi":
            return ""
        return "PATH_INFO is the whole path and SCRIPT_NAME is empty; no file is named (SCRIPT_FILENAME)"


class Redirect(Struct, frozen=True):
    """All requests of a virtual host lead elsewhere. `host` is empty for the one that the client asked for."""

    node: Node
    host: str
    scheme: str
    status: str
    keeps_path: bool


class View(Struct, frozen=True):
    """A virtual host, or the main server alone."""

    root: Node
    node: Node

    @property
    def names(self) -> list[str]:
        return [name for name in names_of(self.node) if name]

    @property
    def mark(self) -> Node:
        """A line to point at: of the main server, its first."""
        return self.node if self.node.line else next(inside(self.node), self.node)

    @property
    def is_tls(self) -> bool:
        is_secure = self.node.first("SSLCertificateFile") or last(self.node, "SSLCertificateFile")
        return is_on(last(self.node, "SSLEngine")) or (is_secure is not None and 443 in self.ports)

    @property
    def addresses(self) -> list[Address]:
        """Where clients reach it."""
        if self.node is self.root:
            return listens_of(self.root) or [Address("*", 80)]
        return [one if one.port else Address(one.host, 80) for one in addresses_of(self.node)]

    @property
    def ports(self) -> list[int]:
        return [one.port for one in self.addresses]

    @property
    def levels(self) -> list[Node]:
        """The virtual host, then the main server whose settings it inherits."""
        return [self.node] if self.node is self.root else [self.node, self.root]

    def setting(self, *names: str) -> Node | None:
        return next((one for level in self.levels if (one := last(level, *names))), None)

    def blocks(self, *names: str) -> list[Node]:
        return every(self.node, *names)

    def blocks_of_all(self, *names: str) -> list[Node]:
        """Also those of the main server, which hold here, too."""
        return [one for level in self.levels for one in every(level, *names)]

    def targets(self) -> Iterator[Target]:
        """What it passes on, in httpd's order: the lines of <Location>, then its own."""
        for block in self.blocks("Location"):
            for node in every(block, *PROXIES):
                if (line := line_of(node, block)) and (target := self._target(line, pattern_of(block)[0])):
                    yield target
        for node in every(self.node, *PROXIES):
            if (line := line_of(node)) and (target := self._target(line, line.pattern)):
                yield target
        for rule in rules_of(self.node):
            if "P" in rule.flags and (target := self._of_rule(rule)):
                yield target

    def _target(self, line: Line, prefix: str) -> Target | None:
        if line.target == "!":
            return None
        uri_tail = ""
        if line.node.name == "ProxyPassMatch":
            if prefix in _EVERYTHING:
                prefix, uri_tail = "/", "$1"
            else:
                return Target(line, prefix, "a pattern", (), "", {})
        words = dict(word.partition("=")[::2] for word in line.node.args if re.match(r"[a-z]+=", word))
        return self._parsed(line, prefix, line.target.removesuffix(uri_tail), words)

    def _of_rule(self, rule: Rule) -> Target | None:
        if rule.pattern not in _EVERYTHING or rule.conditions:
            return None
        to = rule.substitution.replace("%{REQUEST_URI}", "/").removesuffix("$1")
        return self._parsed(
            Line(rule.node, "/", False, to), "/", to.replace("//", "/").replace(":/", "://", 1), {}
        )

    def _parsed(self, line: Line, prefix: str, to: str, words: dict[str, str]) -> Target | None:
        if socket := _SOCKET.fullmatch(to):
            scheme = _SCHEMES.get(socket["scheme"], socket["scheme"])
            uri = "/" + socket["rest"].partition("/")[2] if "/" in socket["rest"] else ""
            return Target(line, prefix, scheme, (named(scheme, f"unix:{socket['path']}"),), uri, words)
        url = _URL.fullmatch(to)
        if url is None:
            return Target(line, prefix, to.partition(":")[0] or "nothing", (), "", words)
        scheme, uri = _SCHEMES.get(url["scheme"], url["scheme"]), url["uri"] or ""
        if scheme != "balancer":
            return Target(line, prefix, scheme, (named(scheme, url["address"]),), uri, words)
        block = self._balancer(url["address"])
        members = [one for one in every(block, "BalancerMember") if one.args] if block else []
        found = [_member(one) for one in members]
        kind = found[0][0] if found else "balancer"
        return Target(line, prefix, kind, tuple(text for _, text in found), uri, words, block)

    def _balancer(self, name: str) -> Node | None:
        blocks = (one for level in self.levels for one in every(level, "Proxy"))
        return next((one for one in blocks if one.args[:1] == (f"balancer://{name}",)), None)

    def apps(self) -> list[Node]:
        """Its WSGI apps."""
        return every(self.node, *WSGI)


def _member(node: Node) -> tuple[str, str]:
    to = node.args[0]
    words = dict(word.partition("=")[::2] for word in node.args[1:])
    if socket := _SOCKET.fullmatch(to):
        scheme, address = _SCHEMES.get(socket["scheme"], socket["scheme"]), f"unix:{socket['path']}"
    else:
        url = _URL.fullmatch(to)
        scheme, address = (_SCHEMES.get(url["scheme"], url["scheme"]), url["address"]) if url else ("", to)
    more = [f"weight={words['loadfactor']}"] if words.get("loadfactor", "").isdigit() else []
    more += ["backup"] if "+H" in words.get("status", "") else []
    return scheme, " ".join([named(scheme, address), *more])


def named(scheme: str, address: str) -> str:
    """One server as `upstream.servers` names it."""
    if address.startswith("localhost"):
        address = f"127.0.0.1{address.removeprefix('localhost')}"
    if not address.startswith("unix:") and not re.search(r":\d+$", address) and scheme == "http":
        address = f"{address}:80"
    return address if scheme == "http" else f"{scheme}://{address}"


def views(root: Node) -> list[View]:
    """The virtual hosts; of a configuration without any, the main server."""
    hosts = hosts_of(root)
    return [View(root, host) for host in hosts] or [View(root, root)]


def redirect(view: View) -> Redirect | None:
    """Where a virtual host leads that does nothing else; None if it answers itself."""
    if next(view.targets(), None) or view.apps():
        return None
    for node in every(view.node, *REDIRECTS):
        line = line_of(node)
        if line and (line.pattern == "/" or (line.is_regex and line.pattern in _EVERYTHING)):
            to = re.fullmatch(r"(?P<scheme>https?)://(?P<host>[^/]+)(?P<rest>.*)", line.target)
            if to and line.status.startswith("3"):
                keeps = to["rest"] == "/$1" if line.is_regex else to["rest"] in ("/", "")
                return Redirect(node, to["host"], to["scheme"], line.status, keeps)
    for rule in rules_of(view.node):
        if to := https_of(rule):
            status = {"permanent": "301", "seeother": "303"}.get(
                rule.flags.get("R", ""), rule.flags.get("R") or "302"
            )
            return Redirect(rule.node, _host(to["host"]), "https", status, bool(to["rest"]))
    return None


def https_of(rule: Rule) -> re.Match[str] | None:
    """A rule that leads everything to HTTPS; one that excludes the paths of ACME counts, too."""
    if rule.pattern not in _EVERYTHING:
        return None
    plain = all(_is_about_https(one) or is_challenge(one) or _is_about_host(one) for one in rule.conditions)
    return _TO_HTTPS.fullmatch(rule.substitution) if plain else None


def _is_about_https(node: Node) -> bool:
    return node.args[:1] in (("%{HTTPS}",), ("%{SERVER_PORT}",), ("%{REQUEST_SCHEME}",))


def _is_about_host(node: Node) -> bool:
    return node.args[:1] in (("%{SERVER_NAME}",), ("%{HTTP_HOST}",))


def is_challenge(node: Node) -> bool:
    return any("acme-challenge" in word or "well-known" in word for word in node.args)


def _host(text: str) -> str:
    return "" if text.startswith("%{") else text
