"""A second copy of a site, for measuring: its app, guards and files, without what a site may do only once."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from portico.site.options import Options
from portico.site.options.fleet import Fleet
from portico.site.options.guard import Guard
from portico.site.options.https import Https
from portico.site.options.limits import Limits
from portico.site.options.mirror import Mirror
from portico.site.options.node import Node
from portico.site.options.observers import Dashboard, Metrics, Tracing
from portico.site.options.release import Release
from portico.values import Address

_LOOPBACK = "127.0.0.0/8"


class Copy(Struct, frozen=True):
    """The port of the copy, 0 for the site itself, and the directory of its code if it is another."""

    port: int = 0
    code: str = ""


NO_COPY = Copy()


def alone(options: Options, port: int) -> Options:
    """The options with one address on loopback, without commands of a release, background processes, certificates,
    copies to other servers, and fixed addresses of observers. Limits of one client do not count the load, which
    comes from one.
    """
    return replace(
        options,
        listen=[Address("127.0.0.1", port)]
        if isinstance(options.listen, list)
        else Address("127.0.0.1", port),
        routed_by=[],
        behind_only=False,
        behind_protocol="http",
        https=Https(mode="off"),
        processes={},
        release=Release(),
        mirror=Mirror(),
        node=Node(),
        fleet=Fleet(),
        metrics=Metrics(),
        dashboard=Dashboard(),
        tracing=Tracing(),
        limits=_uncounted(options.limits),
        guard=_unasked(options.guard),
    )


def _uncounted(limits: Limits) -> Limits:
    return replace(limits, held=0, bandwidth="", exempt=[*limits.exempt, _LOOPBACK])


def _unasked(guard: Guard) -> Guard:
    """wrk solves no puzzles."""
    return replace(guard, challenge="off")
