"""Which server answers a request by the rules of ngx_http.c, and why the others do not."""

from __future__ import annotations

import re

from msgspec import Struct

from portico.explain.node import Node
from portico.explain.pcre import search
from portico.explain.verdict import Asked, Lost, NoServerError

_LITERAL = re.compile(r"\d+\.\d+\.\d+\.\d+|\[.*\]")


class Listen(Struct, frozen=True):
    """One parsed listen directive; `host` is "*" for any address."""

    host: str
    port: int
    is_default: bool
    is_tls: bool
    node: Node | None = None


def servers(root: Node) -> list[Node]:
    """The server blocks of http, or of a fragment that is included there."""
    return [*(server for http in root.all("http") for server in http.all("server")), *root.all("server")]


def choose_server(root: Node, asked: Asked) -> tuple[Node, str, tuple[Lost, ...], tuple[str, ...]]:
    """The server, the reason, why the others do not answer, and the assumptions."""
    everyone = servers(root)
    listens = [(server, listen) for server in everyone for listen in listens_of(server)]
    on_port = [(server, listen) for server, listen in listens if listen.port == asked.port]
    if not on_port:
        places = sorted({f"{listen.host}:{listen.port}" for _, listen in listens})
        raise NoServerError(
            f"nothing listens on port {asked.port}: {', '.join(places) or 'there is no server'}"
        )
    host, notes = _bound(asked, [listen for _, listen in on_port])
    here = [(server, listen) for server, listen in on_port if listen.host == host]
    candidates = list(dict.fromkeys(server for server, _ in here))
    default = next((server for server, listen in here if listen.is_default), candidates[0])
    name, names = asked.host.lower().rstrip("."), _names(candidates)
    ranks = {server: rank for server in candidates if (rank := _rank(names[server], name))}
    chosen = max(
        ranks, key=lambda server: (ranks[server][0], ranks[server][1]), default=default
    )  # the first of equals
    why = _name_why(ranks[chosen][2], asked.host) if ranks else _default_why(default, here, name)
    at = f"{host}:{asked.port}"
    lost = [
        Lost(
            server,
            _server_lost(
                server, ranks, chosen, at, is_here=server in candidates, is_default=server is default
            ),
        )
        for server in everyone
        if server is not chosen
    ]
    tls = any(listen.is_tls for _, listen in here)
    if tls != (asked.scheme == "https"):
        notes = (*notes, f"{at} speaks {'https' if tls else 'http'}, and {asked.scheme} was asked")
    return chosen, why, tuple(lost), notes


def listens_of(server: Node) -> list[Listen]:
    """Its addresses; nginx's default if it has none."""
    found = [_listen(node) for node in server.all("listen")]
    return [listen for listen in found if listen] or ([] if found else [Listen("*", 80, False, False)])


def _listen(node: Node) -> Listen | None:
    where, *words = node.args
    if where.startswith("unix:"):
        return None
    host, port = ("*", where) if where.isdigit() else _split(where)
    host = {"0.0.0.0": "*", "localhost": "127.0.0.1", "[::]": "[::]", "": "*"}.get(host, host)  # noqa: S104  reading
    is_default = "default_server" in words or "default" in words
    return Listen(host, int(port), is_default, "ssl" in words or "quic" in words, node)


def _split(where: str) -> tuple[str, str]:
    host, colon, port = where.rpartition(":")
    if not colon or not port.isdigit():
        return where, "80"
    return host, port


def _bound(asked: Asked, listens: list[Listen]) -> tuple[str, tuple[str, ...]]:
    """The listening address that gets the connection: a specific one before a wildcard."""
    hosts = list(dict.fromkeys(listen.host for listen in listens))
    address = asked.address or (asked.host if _LITERAL.fullmatch(asked.host) else "")
    if address in hosts:
        return address, ()
    any_address = "[::]" if address.startswith("[") and "[::]" in hosts else "*"
    if any_address in hosts:
        return any_address, ()
    if address and hosts != [address] and len(hosts) > 1:
        return hosts[0], (f"nothing listens on {address}; taken as if {hosts[0]} had been the address",)
    if len(hosts) > 1:
        return hosts[0], (f"several addresses have this port; taken as if {hosts[0]} had been the address",)
    return hosts[0], ()


def ports(root: Node) -> list[int]:
    """Where the servers listen, in their order."""
    return [listen.port for server in servers(root) for listen in listens_of(server)]


def names_of(server: Node) -> list[str]:
    return [name for node in server.all("server_name") for name in node.args] or [""]


def _names(candidates: list[Node]) -> dict[Node, list[str]]:
    """The effective names of each: nginx ignores `.b.example` if an earlier server has b.example itself."""
    taken, kept = set[str](), dict[Node, list[str]]()
    for server in candidates:
        kept[server] = [
            name for name in names_of(server) if not (name.startswith(".") and name[1:].lower() in taken)
        ]
        taken |= {name.lower().removeprefix(".") for name in kept[server] if not name.startswith(("*", "~"))}
    return kept


def _rank(names: list[str], name: str) -> tuple[int, int, str] | None:
    """The quality of the match: exact 4, *.name 3, name.* 2, pattern 1; then the length; None for no match."""
    found = [rank for pattern in names if (rank := _rank_of(pattern, name))]
    return max(found, key=lambda rank: rank[:2], default=None)


def _rank_of(pattern: str, name: str) -> tuple[int, int, str] | None:
    wanted = pattern.lower()
    if wanted.startswith("~"):
        return (1, 0, pattern) if search(pattern[1:], name, re.I) else None
    if wanted == name or (wanted.startswith(".") and wanted[1:] == name):
        return 4, 0, pattern
    if wanted.startswith((".", "*.")):
        tail = wanted.lstrip("*")
        return (3, len(tail), pattern) if name.endswith(tail) and len(name) > len(tail) else None
    if wanted.endswith(".*"):
        head = wanted[:-1]
        return (2, len(head), pattern) if name.startswith(head) and len(name) > len(head) else None
    return None


def _name_why(pattern: str, host: str) -> str:
    if pattern.startswith("~"):
        return f"its name {pattern} is the first pattern that matches {host}"
    if "*" in pattern or pattern.startswith("."):
        return f"its name {pattern} is the longest wildcard that matches {host}"
    return f"it is named {pattern or 'for requests without a Host'}"


def _default_why(default: Node, here: list[tuple[Node, Listen]], name: str) -> str:
    says = any(listen.is_default for server, listen in here if server is default)
    what = "says default_server" if says else "is the first one there"
    return f"no server there is named {name or '(no Host)'}, and this one {what}"


def _server_lost(
    server: Node,
    ranks: dict[Node, tuple[int, int, str]],
    chosen: Node,
    at: str,
    *,
    is_here: bool,
    is_default: bool,
) -> str:
    if not is_here:
        places = ", ".join(f"{listen.host}:{listen.port}" for listen in listens_of(server))
        return f"listens on {places or 'a unix socket'}, not on {at}"
    rank, other = ranks.get(server), ranks.get(chosen)
    if rank is None or other is None:
        named = ", ".join(name or '""' for name in names_of(server))
        return f"is named {named}" + (
            "; the default is asked only when no name matches" if is_default else ""
        )
    if other[:2] == rank[:2]:
        return f"its name {rank[2]} matches as well, but the other comes first"
    return f"its name {rank[2]} matches, but {other[2]} matches better"
