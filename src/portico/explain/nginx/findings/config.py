"""An nginx configuration with what the searches for faults ask of it: levels, what is in force, where requests go."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from ipaddress import ip_address
from typing import NamedTuple

from portico.explain.finding import Backend, Finding, Fix
from portico.explain.nginx.effect import title
from portico.explain.nginx.families import PASSES
from portico.explain.nginx.findings.codes import CODES
from portico.explain.nginx.locations import rule
from portico.explain.nginx.servers import listens_of, names_of, servers
from portico.explain.nginx.words import TABLES
from portico.explain.node import Node
from portico.place.model import Build
from portico.plan.gateway.nginx.syntax import quote

_ELSEWHERE = ("stream", "mail")
_TARGET = re.compile(r"(?:(?P<scheme>\w+)://)?(?P<host>unix:[^:]+|[^/]+?)(?::?(?P<uri>/.*))?")
_PATH = re.compile(r"\$\{?(?:request_uri|uri|document_uri)\b")
"""Variables that begin with a slash."""
_ANSWERS = (*PASSES, "return", "stub_status", "empty_gif", "content_by_lua_block", "js_content")


class Target(NamedTuple):
    """Where a `*_pass` leads: `uri` is empty without one, `servers` are the addresses of its upstream block."""

    scheme: str
    host: str
    uri: str
    upstream: Node | None
    servers: tuple[str, ...]

    @property
    def is_unix(self) -> bool:
        return any(address.startswith("unix:") for address in self.servers)

    @property
    def is_near(self) -> bool:
        """A socket, this machine, a private network or a name without a dot: an app, not a site of somebody's."""
        return all(map(_is_near, self.servers))


class Config:
    """One configuration. `build` is the nginx that reads it, None if unknown."""

    def __init__(self, root: Node, build: Build | None, backends: Sequence[Backend]) -> None:
        self.root, self.build, self.backends = root, build, backends

    @cached_property
    def above(self) -> dict[Node, tuple[Node, ...]]:
        """Every directive of HTTP with its ancestors, the root first; rows of tables are none."""
        return {
            node: above
            for node, above in self.root.walk()
            if not any(level.name in (*_ELSEWHERE, *TABLES) for level in above)
        }

    @cached_property
    def http(self) -> Node | None:
        """None for a file that another one includes."""
        return self.root.first("http")

    @cached_property
    def servers(self) -> list[Node]:
        return servers(self.root)

    def named(self, *names: str) -> list[Node]:
        return [node for node in self.above if node.name in names]

    def parent(self, node: Node) -> Node:
        return self.above[node][-1]

    def levels(self, node: Node) -> tuple[Node, ...]:
        """The block itself and those around it, the innermost first."""
        return (node, *reversed(self.above.get(node, ())))

    def in_force(self, level: Node, *names: str) -> list[Node]:
        """The lines of the nearest level that has any."""
        for block in self.levels(level):
            if found := [child for child in block.children or () if child.name in names]:
                return found
        return []

    def value(self, level: Node, name: str) -> str:
        """The first word of the directive in force; empty without one."""
        found = self.in_force(level, name)
        return found[-1].args[0] if found and found[-1].args else ""

    def server_of(self, node: Node) -> Node | None:
        return next((level for level in self.levels(node) if level in self.servers), None)

    @cached_property
    def locations(self) -> list[Node]:
        return self.named("location")

    def locations_of(self, server: Node) -> list[Node]:
        return [one for one in self.locations if server in self.above[one]]

    @cached_property
    def passes(self) -> list[Node]:
        """The lines that pass requests on."""
        return self.named(*PASSES)

    def target(self, node: Node) -> Target:
        """Where a `*_pass` leads."""
        found = _TARGET.fullmatch(node.args[0] if node.args else "")
        scheme, host, uri = (
            (found["scheme"] or "", found["host"], found["uri"] or "") if found else ("", "", "")
        )
        if path := _PATH.search(host, 1):
            host, uri = host[: path.start()], host[path.start() :] + uri
        named = (one for one in self.named("upstream") if one.args[:1] == (host,))
        upstream = next(named, None)
        inside = tuple(one.args[0] for one in upstream.all("server") if one.args) if upstream else (host,)
        return Target(scheme, host, uri, upstream, inside)

    def is_tls(self, server: Node) -> bool:
        """Whether every address of it speaks TLS."""
        found = listens_of(server)
        return self.value(server, "ssl") == "on" or (bool(found) and all(one.is_tls for one in found))

    def has_tls(self, server: Node) -> bool:
        return self.value(server, "ssl") == "on" or any(one.is_tls for one in listens_of(server))

    def is_public(self, server: Node) -> bool:
        """Whether others than this machine can reach it."""
        words = [node.args[0] for node in server.all("listen") if node.args]
        return not words or not all(
            word.startswith(("127.", "localhost", "[::1]", "unix:")) for word in words
        )

    def serves(self, server: Node) -> bool:
        """Whether it gives out files or passes requests on, beyond a redirect or a refusal."""
        if server.first("return"):
            return False
        return any(
            level.first(*PASSES, "root", "alias", "try_files")
            for level in (server, *self.locations_of(server))
        )

    def is_open(self, level: Node) -> bool:
        """Whether everybody may come there, as far as this level and those above say."""
        if any("all" in node.args for node in self.in_force(level, "allow", "deny") if node.name == "deny"):
            return False
        if self.in_force(level, "internal") or self.value(level, "auth_request") not in ("", "off"):
            return False
        return self.value(level, "auth_basic") in ("", "off")

    def serves_files(self, location: Node) -> bool:
        """Whether it answers with files of a folder that the configuration names."""
        return not location.first(*_ANSWERS) and bool(self.in_force(location, "root", "alias"))

    def older(self, *version: int) -> bool:
        """Whether the nginx in use is known to be older."""
        return self.build is not None and not self.build.since(*version)

    def newer(self, *version: int) -> bool:
        """Whether the nginx in use is known to be that one, or newer."""
        return self.build is not None and self.build.since(*version)

    def finding(self, code: str, node: Node, what: str, harm: str, fix: Fix) -> Finding:
        around = [title(block) for block in self.above.get(node, ()) if block.name]
        where = " > ".join([*around, title(node)] if node.children is not None else around)
        return Finding(code, CODES[code].harm, node.file, node.line, where, what, harm, fix)


def written(name: str, *args: object) -> str:
    """A line as it would stand in a file."""
    return " ".join([name, *(quote(str(arg)) for arg in args)]) + ";"


def instead(*lines: str) -> Fix:
    return Fix("write in its place", lines)


def removed(why: str = "") -> Fix:
    return Fix(f"take the line out{': ' if why else ''}{why}")


def added(block: Node, *lines: str) -> Fix:
    return Fix(f"add to {title(block) or 'the file'}", lines)


def head(location: Node) -> str:
    """The first line of a location's block."""
    return location.text


def is_prefix(location: Node) -> bool:
    return location.name == "location" and rule(location).kind in ("", "^~")


def is_pattern(location: Node) -> bool:
    return location.name == "location" and rule(location).kind in ("~", "~*")


def name_of(server: Node) -> str:
    """Its first real name, or the one of an example."""
    real = (name for name in names_of(server) if name not in ("", "_", "localhost") and name[0] not in "~*.")
    return next(real, "shop.example")


def variables(text: str) -> list[str]:
    """The names of the variables in a text."""
    return re.findall(r"\$\{?(\w+)\}?", text)


def seconds(text: str) -> float | None:
    """A time of nginx's, None if it is none."""
    found = re.findall(r"(\d+)(ms|[smhdwMy]?)", text)
    if not found or "".join(number + unit for number, unit in found) != text.replace(" ", ""):
        return None
    units = {
        "ms": 0.001,
        "": 1,
        "s": 1,
        "m": 60,
        "h": 3600,
        "d": 86400,
        "w": 604800,
        "M": 2592000,
        "y": 31536000,
    }
    return sum(int(number) * units[unit] for number, unit in found)


def size(text: str) -> int | None:
    """A size of nginx's in bytes, None if it is none."""
    found = re.fullmatch(r"(\d+)([kmg]?)", text.lower())
    return int(found[1]) * 1024 ** ("", "k", "m", "g").index(found[2]) if found else None


def all_of(config: Config, *names: str) -> Iterator[tuple[Node, Node]]:
    """Every line of those names, with the block that it stands in."""
    for node in config.named(*names):
        yield node, config.parent(node)


def _is_near(address: str) -> bool:
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0] if re.search(r":\d+$", address) else address
    try:
        return not ip_address(host.strip("[]")).is_global
    except ValueError:
        return "." not in host and "$" not in host
