"""The live feed: what `GET /live` sends once a second, for the dashboard and `portico top`.

Times are Unix times. Fields that some version lacks have a default, as in `status`.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET, Struct, UnsetType

from portico.protocol.status import SiteStatus

Fields = Mapping[str, str | int | float | None]
"""A line of the access log by the names of its fields (docs/log.md), what follows from them, and `n`, its number."""


class Numbers(Struct, frozen=True, kw_only=True, rename={"bytes_in": "in", "bytes_out": "out"}):
    """Numbers of a period. Rates are by the second, percentiles milliseconds: None without requests.

    `classes` are rates, as `watch.log_counts.CLASSES` names them. `hits` of `asked` requests were answered by the
    cache; `by_gateway` are answers that cost the app nothing. `estimated`: not every line of the log was read.
    """

    rate: float = 0.0
    classes: tuple[float, ...] = ()
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    queue_p95: float | None = None
    app_p95: float | None = None
    hits: int = 0
    asked: int = 0
    by_gateway: float = 0.0
    refused: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    estimated: bool = False


class Second(Numbers, frozen=True, kw_only=True):
    """A second that has passed, and the state of the processes at its end.

    `memory` in bytes: that of everything, of the gateway, of the app.
    """

    time: float
    memory: tuple[int, ...] = ()
    waiting: int = 0
    with_app: int = 0
    connections: int = 0


class Now(Numbers, frozen=True, kw_only=True):
    """The last seconds together. Rates of the workers by pid, and of the servers that answer by name."""

    workers: Mapping[str, float] = {}
    upstreams: Mapping[str, float] = {}


class Route(Struct, frozen=True):
    """A route in the last minute; percentiles are milliseconds."""

    route: str
    requests: int = 0
    failed: int = 0
    p50: float | None = None
    p95: float | None = None


class Error(Struct, frozen=True, kw_only=True):
    """Failures that are the same error, identified by `key`: `count` of them since `first`, 0 if none is left.

    The rest is about the latest one: the ID of its request, its time in the log, its request if there is one, and
    the app's output.
    """

    key: str = ""
    count: int = 0
    first: str = ""
    id: str = ""
    time: str = ""
    request: Fields | None = None
    text: str = ""


class Mark(Struct, frozen=True):
    """An event. `level` is "good", "note", "warn" or "bad"; `notice` its kind."""

    time: float
    notice: str
    level: str
    text: str


class Item(Struct, frozen=True, kw_only=True):
    """The changes since the item before; the first one has everything, and the seconds of the last ten minutes.

    `second` is None before the first has passed. `unread` is a message about unreadable lines.
    """

    time: float
    now: Now
    status: SiteStatus
    second: Second | None = None
    routes: tuple[Route, ...] = ()
    requests: tuple[Fields, ...] = ()
    errors: tuple[Error, ...] = ()
    marks: tuple[Mark, ...] = ()
    unread: str = ""
    history: tuple[Second, ...] | UnsetType = UNSET
