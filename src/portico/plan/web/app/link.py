"""How the gateway talks to whoever answers: for how long, what is tried again, and what is told beside the request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from portico.plan.appserver.kind import protocol
from portico.plan.model import Ladder
from portico.site.model import Site

_LOCAL_CONNECT_SECONDS = 5.0
_REMOTE_CONNECT_SECONDS = 2.0
"""Within a data centre a connect takes a millisecond; one lost packet adds a second."""
_KNOWN_OTHERWISE = re.compile(
    "Content-.*|If-.*|Range|Connection|Keep-Alive|Upgrade|TE|Transfer-Encoding|Expect", re.IGNORECASE
)
"""Headers that the app is told of in a way of their own, or never."""


class RouteFact(StrEnum):
    """What the app server is told of the route of a request, and the variable that tells it."""

    DEADLINE = "PORTICO_DEADLINE"
    """Seconds: its own time."""
    STREAM = "PORTICO_STREAM"
    """Its requests last."""
    UPLOAD = "PORTICO_UPLOAD"
    """Its uploads are handed over as files: the path of this one."""
    PRIVATE = "PORTICO_PRIVATE"
    """Its answers are private; the worker says so of files that the gateway sends for it."""


@dataclass(frozen=True)
class Retry:
    """When a request is tried again elsewhere: after a failed connection; once sent, never if it may have an effect."""

    tries: int
    """The first one included."""
    after_silence: bool = False
    """Also when the server was silent for too long."""
    statuses: tuple[int, ...] = ()
    """Also after these answers, by which a gateway there says that no app is behind it."""
    within_seconds: float = 0
    """No later than this; 0: whenever it fails."""


@dataclass(frozen=True)
class Link:
    """What holds for every request that the app answers.

    Beside the request itself and what `Trust`, `Host` and `Tracing` say of it, the app is told the id of the log line
    (X-Request-ID) and when the gateway passed the request on (PORTICO_MSEC, seconds since 1970).
    """

    connect_seconds: float
    silence_seconds: float
    """The longest silence, each way, before the client gets 504."""
    retry: Retry
    varied: tuple[str, ...]
    """Headers that kept answers depend on: the app gets them as the key of the cache has them, or not at all."""
    of_routes: frozenset[RouteFact]
    """What is told of a route, where some route has it."""
    silence_cause: str


def link(site: Site) -> Link:
    """How the gateway talks to whoever answers."""
    is_elsewhere = bool(site.servers)
    return Link(
        connect_seconds=_REMOTE_CONNECT_SECONDS if is_elsewhere else _LOCAL_CONNECT_SECONDS,
        silence_seconds=Ladder.of(site.options.request_timeout).read_seconds,
        retry=_ELSEWHERE if is_elsewhere else Retry(tries=2),
        varied=_varied(site),
        of_routes=_of_routes(site) if protocol(site) == "uwsgi" else frozenset(),
        silence_cause=site.cause("request_timeout"),
    )


_ELSEWHERE = Retry(
    tries=2, after_silence=True, statuses=(502, 503), within_seconds=2 * _REMOTE_CONNECT_SECONDS
)
"""Only early: a request that has been slow on one server is not repeated on another."""


def _varied(site: Site) -> tuple[str, ...]:
    names = {name for item in site.routed for name in item.edge.vary if ":" not in name}
    return tuple(sorted(name for name in names if not _KNOWN_OTHERWISE.fullmatch(name)))


def _of_routes(site: Site) -> frozenset[RouteFact]:
    made = set[RouteFact]()
    for edge in (item.edge for item in site.routed):
        made |= {RouteFact.DEADLINE} if edge.timeout or edge.stream else set()
        made |= {RouteFact.STREAM} if edge.stream else set()
        made |= {RouteFact.UPLOAD} if edge.upload_to_file else set()
        made |= {RouteFact.PRIVATE} if edge.private else set()
    return frozenset(made)
