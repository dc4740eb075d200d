"""Which virtual host answers a request by the rules of server/vhost.c, and why the others do not."""

from __future__ import annotations

import re

from msgspec import Struct

from portico.explain.httpd.blocks import every, is_on, last
from portico.explain.httpd.paths import fits
from portico.explain.node import Node
from portico.explain.verdict import Asked, Lost, NoServerError

_LITERAL = re.compile(r"\d+\.\d+\.\d+\.\d+|\[.*\]")
_ANY = ("*", "_default_", "0.0.0.0", "[::]")  # noqa: S104  reading


class Address(Struct, frozen=True):
    """Where a server listens, or for which connections a virtual host is: "*" is any host, 0 any port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port or '*'}"

    def takes(self, host: str, port: int) -> bool:
        return self.host in ("*", host) and self.port in (0, port)


def hosts_of(root: Node) -> list[Node]:
    """The virtual hosts, in their order."""
    return every(root, "VirtualHost")


def addresses_of(host: Node) -> list[Address]:
    return [_address(text, 0) for text in host.args]


def listens_of(root: Node) -> list[Address]:
    return [_address(node.args[0], 80) for node in every(root, "Listen") if node.args]


def _address(text: str, port: int) -> Address:
    if text.isdigit():
        return Address("*", int(text))
    host, colon, number = text.rpartition(":")
    if not colon or (text.endswith("]") and text.startswith("[")):
        host, number = text, ""
    return Address("*" if host in _ANY else host, int(number) if number.isdigit() else 0 if number else port)


def ports(root: Node) -> list[int]:
    """Where httpd listens, in its order; for a file without Listen, the ports of its virtual hosts."""
    listens = listens_of(root)
    if not listens:
        listens = [address for host in hosts_of(root) for address in addresses_of(host)]
        listens = [one if one.port else Address(one.host, 80) for one in listens]
    return list(dict.fromkeys(one.port for one in listens))


def names_of(server: Node) -> list[str]:
    """ServerName without scheme and port, and every ServerAlias; one empty name for a server without."""
    return [name for name in (_name_of(server), *_aliases_of(server)) if name] or [""]


def _name_of(server: Node) -> str:
    own = last(server, "ServerName")
    return _bare(own.args[0]) if own and own.args else ""


def _aliases_of(server: Node) -> list[str]:
    return [name for node in every(server, "ServerAlias") for name in node.args]


def _bare(name: str) -> str:
    host = name.rpartition("://")[2]
    return host if host.endswith("]") else re.sub(r":\d+\Z", "", host)


def choose_server(root: Node, asked: Asked) -> tuple[Node, str, tuple[Lost, ...], tuple[str, ...]]:
    """The virtual host or the main server (`root`), the reason, why the others do not answer, and the assumptions."""
    _require_port(root, asked.port)
    everyone = hosts_of(root)
    address, notes = _local(asked, everyone)
    here, at = _on(everyone, address, asked.port)
    name = asked.host.lower().removesuffix(".")
    chosen, why = _named(root, here, name, at)
    lost = [
        Lost(host, _host_lost(root, host, here, chosen, name, at)) for host in everyone if host is not chosen
    ]
    if speaks_tls(root, chosen) != (asked.scheme == "https"):
        speaks = "https" if speaks_tls(root, chosen) else "http"
        notes = (*notes, f"{title(chosen)} speaks {speaks}, and {asked.scheme} was asked")
    return chosen, why, tuple(lost), notes


def _require_port(root: Node, port: int) -> None:
    listening = ports(root)
    if listening and port not in listening:
        where = ", ".join(map(str, listens_of(root) or listening))
        raise NoServerError(f"nothing listens on port {port}: {where}")


def _local(asked: Asked, everyone: list[Node]) -> tuple[str, tuple[str, ...]]:
    """The address of the connection, and what was assumed."""
    address = asked.address or (asked.host if _LITERAL.fullmatch(asked.host) else "")
    if ":" in address and not address.startswith("["):
        address = f"[{address}]"
    own = {one.host for host in everyone for one in addresses_of(host)} - {"*"}
    if address or not own:
        return address, ()
    only = next(iter(own)) if len(own) == 1 and not any(_is_for_any(host) for host in everyone) else ""
    if only:
        return only, (f"taken as if the connection came to {only}",)
    return "", (f"taken as if the connection came to none of {', '.join(sorted(own))}",)


def _is_for_any(host: Node) -> bool:
    return any(one.host == "*" for one in addresses_of(host))


def _on(everyone: list[Node], address: str, port: int) -> tuple[list[Node], str]:
    """The virtual hosts of the first fitting address: a certain host before any, then in their order."""
    pairs = [(host, one) for host in everyone for one in addresses_of(host) if one.takes(address, port)]
    certain = [pair for pair in pairs if pair[1].host != "*"]
    fitting = certain or pairs
    if not fitting:
        return [], f"{address or '*'}:{port}"
    first = next((one for _, one in fitting if one.port), fitting[0][1])
    return list(dict.fromkeys(host for host, one in fitting if one == first)), str(first)


def _named(root: Node, here: list[Node], name: str, at: str) -> tuple[Node, str]:
    if not here:
        return root, f"no virtual host is for {at}: the main server answers"
    for host in here:
        names = _effective(root, host)
        if found := _match(names, name):
            kind = "name" if found == names[0] else "alias"
            return host, f"its {kind} {found} matches, and it is the first of {at} with one that does"
    what = f"is named {name}" if name else "has that name (no Host)"
    return here[0], f"no virtual host of {at} {what}, and this one is the first there"


def _effective(root: Node, host: Node) -> list[str]:
    """Its name, or an empty one, and its aliases. Without a ServerName, for any address, it has the main server's."""
    own = _name_of(host) or (_name_of(root) if _is_for_any(host) else "")
    return [own, *_aliases_of(host)]


def _match(names: list[str], name: str) -> str:
    exact = next((one for one in names if one and one.lower() == name), "")
    wild = (one for one in names[1:] if ("*" in one or "?" in one) and fits(one.lower(), name, parts=False))
    return exact or next(wild, "")


def _host_lost(root: Node, host: Node, here: list[Node], chosen: Node, name: str, at: str) -> str:
    if host not in here:
        return f"is for {', '.join(map(str, addresses_of(host)))}, not for {at}"
    names = _effective(root, host)
    if found := _match(names, name):
        return f"its name {found} matches as well, but the other comes first"
    named = f"is named {', '.join(filter(None, names))}" if any(names) else "has no name"
    is_first = host is here[0] and chosen is not host
    return named + ("; the first of its address answers only when no name matches" if is_first else "")


def speaks_tls(root: Node, server: Node) -> bool:
    return is_on(last(server, "SSLEngine") or last(root, "SSLEngine"))


def title(node: Node) -> str:
    """`<VirtualHost *:80> shop.example`, `<Location /static>`; a directive as it stands."""
    if node.children is None:
        return node.text
    if not node.name:
        return "the main server"
    named = f" {names_of(node)[0]}" if node.name == "VirtualHost" and names_of(node) != [""] else ""
    return f"<{node.text}>{named}"


def around(root: Node, node: Node) -> Node:
    """The virtual host in which a node stands, or the main server."""
    for host in hosts_of(root):
        if any(below is node for below, _ in host.walk()):
            return host
    return root
