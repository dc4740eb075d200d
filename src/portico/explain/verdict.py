"""Which server and location answer a request, and why the others do not."""

from __future__ import annotations

from msgspec import Struct

from portico.explain.node import Node


class Asked(Struct, frozen=True):
    """A request: `target` is path and query as sent, `address` the one of the connection, empty if unknown."""

    method: str
    scheme: str
    host: str
    port: int
    target: str
    address: str = ""
    state: str = ""
    """The directory in which Portico keeps the state of the site, if it is one of Portico's: what rules make of its
    files is no note."""


class Lost(Struct, frozen=True):
    """A server or location that does not answer, and why."""

    node: Node
    why: str


class Verdict(Struct, frozen=True):
    """The server and location that answer. `uri` is the path as the program compares it: decoded, dots resolved,
    slashes merged.
    """

    server: Node
    server_why: str
    servers_lost: tuple[Lost, ...]
    uri: str
    location: Node | None
    location_why: str
    locations_lost: tuple[Lost, ...]
    notes: tuple[str, ...] = ()
    sections: tuple[Node, ...] = ()
    """Other blocks that hold for the request, in the order in which the program merges them."""


class NoServerError(LookupError):
    """Nothing listens there; the message lists the addresses."""
