"""Who answers a request, as a configuration has it, and why nobody else does."""

from __future__ import annotations

from dataclasses import dataclass

from portico.explain.node import Node


@dataclass(frozen=True)
class Asked:
    """A request: `target` is path and query as sent, `address` the one that is connected to, empty when unknown."""

    method: str
    scheme: str
    host: str
    port: int
    target: str
    address: str = ""


@dataclass(frozen=True)
class Lost:
    """One that does not answer, and why."""

    node: Node
    why: str


@dataclass(frozen=True)
class Verdict:
    """Who answers. `uri` is the path as the program compares it: decoded, dots resolved, slashes merged."""

    server: Node
    server_why: str
    servers_lost: tuple[Lost, ...]
    uri: str
    location: Node | None
    location_why: str
    locations_lost: tuple[Lost, ...]
    notes: tuple[str, ...] = ()


class NoServerError(LookupError):
    """Nobody listens there; the message says who listens where."""
