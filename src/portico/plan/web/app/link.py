"""The link to the upstream: timeouts, retries, and facts beside the request."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from portico.plan.app_servers.chosen import protocol
from portico.plan.subjects import Ladder
from portico.site.model import Site

_LOCAL_CONNECT_SECONDS = 5.0
_REMOTE_CONNECT_SECONDS = 2.0
"""Within a data centre a connect takes a millisecond; one lost packet adds a second."""
_KNOWN_OTHERWISE = re.compile(
    "Content-.*|If-.*|Range|Connection|Keep-Alive|Upgrade|TE|Transfer-Encoding|Expect", re.IGNORECASE
)
"""Headers that the app gets in another form, or never."""


class RouteFact(StrEnum):
    """A fact for the app server about the route of a request, and its variable."""

    DEADLINE = "PORTICO_DEADLINE"
    """Seconds: its own timeout."""
    STREAM = "PORTICO_STREAM"
    """Its requests are long-lived."""
    UPLOAD = "PORTICO_UPLOAD"
    """It gets uploads as files: the path of this one."""
    PRIVATE = "PORTICO_PRIVATE"
    """Its answers are private; the worker sets it on files that the gateway sends for it."""


class Retry(Struct, frozen=True):
    """When a request is retried on another server: after a failed connection; once sent, only if it has no side
    effect.
    """

    tries: int
    """Attempts, with the first one."""
    after_silence: bool = False
    """Also if the server was silent for too long."""
    statuses: tuple[int, ...] = ()
    """Also after these statuses, by which a gateway there reports a missing app."""
    within_seconds: float = 0
    """No later than this; 0: at any time."""


class Link(Struct, frozen=True):
    """Settings of every request that the app answers.

    Beside the request itself and the facts of `Trust`, `Host` and `Tracing`, the app gets the ID of the log line
    (X-Request-ID) and the time at which the gateway passed the request on (PORTICO_MSEC, seconds since 1970).
    """

    connect_seconds: float
    silence_seconds: float
    """The longest silence in each direction before the client gets 504."""
    retry: Retry
    varied: tuple[str, ...]
    """Headers that cached answers depend on: the app gets them as the cache's key has them, or not at all."""
    of_routes: frozenset[RouteFact]
    """The facts about routes that some route has."""
    silence_cause: str


def link(site: Site) -> Link:
    """The link to the upstream."""
    # Those with facts are the app itself, apart: a worker refuses a request that another was silent about.
    is_elsewhere = bool(site.servers) and not site.options.upstream.facts
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
"""Only early: a request that was slow on one server is not repeated on another."""


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
