"""To whom a location passes its requests, in the words of `upstream.servers`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from portico.explain.nginx.families import PASSES
from portico.explain.node import Node
from portico.site.upstream_server import Server

_SCHEMES = {"proxy": "http", "uwsgi": "uwsgi", "fastcgi": "fastcgi"}
_WEIGHT = re.compile(r"weight=\d+")
_UNIX = re.compile(r"unix:(?P<path>/[^:]*)(?::(?P<uri>.*))?")


class Target(Struct, frozen=True):
    """A pass directive. `address` is the host and port, the socket, or the name of the `upstream`; `uri` is what
    replaces the location's prefix, empty for none.
    """

    scheme: str
    address: str
    uri: str
    upstream: Node | None
    node: Node

    @property
    def family(self) -> str:
        return self.node.name.removesuffix("_pass")

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers, without those that are down."""
        if self.upstream is None:
            return (named(self.scheme, self.address),)
        return tuple(
            text
            for node in self.upstream.all("server")
            if (text := _server(self.scheme, node)) and "down" not in node.args
        )

    @property
    def problem(self) -> str:
        """Why Portico cannot take these servers; empty if it can."""
        if self.scheme not in ("http", "https", "uwsgi", "fastcgi"):
            return f"Portico speaks HTTP, uwsgi and FastCGI to servers, not {self.family}"
        if "$" in self.address + self.uri:
            return "its address contains a variable, and Portico's servers have fixed addresses"
        for text in self.servers:
            try:
                Server.parse(text)
            except ValueError as error:
                return f'"{text}" is no server for Portico: {error}'
        return "" if self.servers else "it names no server"


def target_of(location: Node, root: Node) -> Target | None:
    """The target of a location; None if it passes nothing on."""
    node = location.first(*PASSES)
    if node is None or not node.args:
        return None
    family, text = node.name.removesuffix("_pass"), node.args[0]
    scheme = _SCHEMES.get(family, family)
    if family == "proxy":
        scheme, _, text = text.partition("://")
    text = text.replace("unix://", "unix:", 1) if text.startswith("unix://") else text
    if match := _UNIX.fullmatch(text):
        path = re.sub(r"/{2,}", "/", match["path"])
        return Target(scheme, f"unix:{path}", match["uri"] or "", None, node)
    address, slash, path = text.partition("/")
    return Target(scheme, address, slash + path, _upstream(root, address), node)


def _upstream(root: Node, name: str) -> Node | None:
    blocks = [one for http in (*root.all("http"), root) for one in http.all("upstream")]
    return next((one for one in blocks if one.args[:1] == (name,)), None)


def named(scheme: str, address: str) -> str:
    """One server as `upstream.servers` names it."""
    if address.startswith("localhost"):
        address = f"127.0.0.1{address.removeprefix('localhost')}"
    has_port = address.startswith("unix:") or re.search(r":\d+$", address)
    return address if scheme == "http" and has_port else f"{scheme}://{address}"


def _server(scheme: str, node: Node) -> str:
    if not node.args:
        return ""
    address = node.args[0].replace("unix://", "unix:", 1)
    words = [word for word in node.args[1:] if _WEIGHT.fullmatch(word) or word == "backup"]
    return " ".join([named(scheme, address), *words])


def upstreams_in(nodes: tuple[Node, ...], root: Node) -> Iterator[Node]:
    """The upstream blocks to which these directives, or those in their blocks, pass requests."""
    for node in nodes:
        for one in (node, *(inner for inner, _ in node.walk())):
            if one.children is not None and (found := target_of(one, root)) and found.upstream:
                yield found.upstream
