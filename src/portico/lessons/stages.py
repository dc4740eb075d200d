"""The stages of a request that a trace shows, by names that are the same for every request."""

from __future__ import annotations

from msgspec import Struct

from portico.protocol.trace import Row, Trace


class Stage(Struct, frozen=True):
    """A step of that actor whose action begins so."""

    words: str
    actor: str
    begins: str

    def is_row(self, row: Row) -> bool:
        return row.actor == self.actor and row.action.startswith(self.begins)

    def said(self, gateway: str) -> str:
        return self.words.format(gateway=gateway)


LOCATION = Stage("{gateway} chooses a location", "gateway", "chooses location")
CACHE = Stage("{gateway} asks its cache", "gateway", "asks its cache")
PASSED = Stage("{gateway} passes the request to the app's socket", "gateway", "passes the request")
TAKEN = Stage("a worker takes the connection", "link", "worker ")
CALLED = Stage("the worker calls the app", "worker", "calls the app")
STAGES = (
    Stage("the client connects", "client", "connects"),
    Stage("{gateway} chooses a server", "gateway", "chooses server"),
    LOCATION,
    CACHE,
    PASSED,
    TAKEN,
    CALLED,
    Stage("{gateway} answers the client", "gateway", "answers "),
    Stage("{gateway} writes its line in the log", "gateway", "writes its line"),
)
"""In the order of their happening."""
_GATEWAY, _APP = "gateway", "app"


def stages(trace: Trace) -> list[Stage]:
    """Those that the trace has."""
    return [stage for stage in STAGES if any(map(stage.is_row, trace.rows))]


def step(row: Row, trace: Trace) -> str:
    """A step with who does it."""
    if row.action.startswith("worker "):
        return row.action
    colon = ":" if row.actor == _APP else ""
    return f"{actor(row, trace)}{colon} {row.action}"


def actor(row: Row, trace: Trace) -> str:
    return trace.gateway if row.actor == _GATEWAY else f"the {row.actor}"


def decision(trace: Trace) -> str:
    """What the gateway did instead of asking the app, in the trace's words; empty if the app was asked."""
    if PASSED in stages(trace):
        return ""
    return next(
        (row.action for row in trace.rows if row.actor == _GATEWAY and row.action.startswith(_OWN)), ""
    )


def is_of_app(trace: Trace) -> bool:
    """Whether the app answered; not every app server takes part in traces."""
    there = stages(trace)
    if CALLED in there:
        return not any(row.action in _UNANSWERED for row in trace.rows)
    return PASSED in there and bool(trace.status) and (trace.status < _ERROR or _is_from_upstream(trace))


def is_untraced(trace: Trace) -> bool:
    """Whether the app answered, and its server wrote no step down."""
    return is_of_app(trace) and TAKEN not in stages(trace) and CALLED not in stages(trace)


def _is_from_upstream(trace: Trace) -> bool:
    """Whether the gateway's line says that this status came from the app's socket: else it is the gateway's own."""
    said = str((trace.line or {}).get("upstream_status", "")).rpartition(" ")[2]
    return trace.status not in _NO_ANSWER and said == str(trace.status)


_ERROR = 500
_NO_ANSWER = (502, 503, 504)
_UNANSWERED = ("dies without an answer", "has not answered yet")
_OWN = ("answers from its cache", "answers by itself", "sends ", "says that", "finds no file", "refuses ")
