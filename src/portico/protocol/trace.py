"""What `portico trace` shows of a request, as it is saved and as a dashboard asks for it. Times in microseconds."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from portico.protocol.feed import Fields


class Row(Struct, frozen=True):
    """One step. `at_us` is since the beginning, None where only the gateway knows; `took_us` likewise.

    `message` is "request", "response" or "" for what is neither; `place` is file:line of what is responsible, `text`
    the line that stands there. `why` and `cause` are added when a saved trace is read: what the plan says of that line.
    """

    number: int
    actor: str
    action: str
    message: str
    source: str
    destination: str
    at_us: int | None
    took_us: int | None
    place: str = ""
    note: str = ""
    text: str = ""
    why: str | UnsetType = UNSET
    cause: str | UnsetType = UNSET


class Tracked(Struct, frozen=True):
    """One thing: as the client sent it, as the gateway passed it on, as the app saw it; None where it was not there."""

    name: str
    client: str | None
    gateway: str | None
    app: str | None
    is_dropped: bool = False
    """The app never saw it."""
    changed: bool = False


class Answered(Struct, frozen=True):
    """One header of the answer: as the app said it, as the worker sent it, as the client got it."""

    name: str
    app: str | None
    worker: str | None
    client: str | None
    changed: bool = False


class Bar(Struct, frozen=True):
    """One piece of the waterfall, since the beginning."""

    name: str
    actor: str
    begins_us: int
    ends_us: int


class Moment(Struct, frozen=True):
    """A sentence; `see` is a command that says more, empty when there is none."""

    text: str
    see: str = ""


class Trace(Struct, frozen=True, kw_only=True):
    """One request. `line` is the gateway's log line, `app` what the app wrote meanwhile, `gateway` the name of the
    gateway's program, `complaints` its messages about the request.
    """

    method: str
    url: str
    id: str
    status: int
    error: str
    rows: tuple[Row, ...] = ()
    request: tuple[Tracked, ...] = ()
    response: tuple[Answered, ...] = ()
    waterfall: tuple[Bar, ...] = ()
    moments: tuple[Moment, ...] = ()
    line: Fields | None = None
    app: tuple[str, ...] = ()
    gateway: str = ""
    complaints: tuple[str, ...] = ()
