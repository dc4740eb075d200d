"""The W3C trace context of a request (https://www.w3.org/TR/trace-context/), and the app's view of it.

A trace that begins here has the request's own ID, nginx's 32 hexadecimal digits. A request has two spans, nginx's
and the app's, whose IDs are the halves of its ID: every reader of the log line knows them. A trace from the request
continues only if a declared proxy sent it: an untrusted client's is removed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

VARIABLE: Final = "PORTICO_TRACING"
"""Traces are sampled if digits 16 to 19 of their ID are below this."""
_TRACEPARENT: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII
)
_HALF: Final = 16
_PARENT, _STATE = b"traceparent", b"tracestate"


class Parent(NamedTuple):
    """The content of a valid traceparent: the trace, the parent span, and whether that one is sampled."""

    trace: str
    span: str
    is_sampled: bool


def parse(text: str) -> Parent | None:
    """The parsed traceparent, None if it is invalid."""
    found = _TRACEPARENT.fullmatch(text)
    if found is None or (found[1] == "00" and found[5]):  # a later version may append fields
        return None
    return Parent(found[2], found[3], bool(int(found[4], 16) & 1))


def spans(request_id: str) -> tuple[str, str]:
    """The IDs of nginx's span and of the app's."""
    return request_id[:_HALF], request_id[_HALF:]


def is_sampled(trace: str, below: str) -> bool:
    """Whether a trace that begins here is sampled."""
    return trace[16:20] < below


class Contexts:
    """Gives each request its traceparent."""

    def __init__(self, below: str) -> None:
        self._below = below

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Contexts | None:
        below = environment.get(VARIABLE)
        return cls(below) if below else None

    def set_in(self, environ: dict[str, Any]) -> None:
        """Sets traceparent to the app's span, and keeps tracestate if the trace continues."""
        own: str = environ.get("HTTP_X_REQUEST_ID", "")
        parent = None
        if "HTTP_TRACEPARENT" in environ or "HTTP_TRACESTATE" in environ:
            parent = _taken(environ)
        if own:  # Portico's own request, which bypasses nginx, has none
            environ["HTTP_TRACEPARENT"] = self._traceparent(own, parent)

    def set_among(self, headers: list[tuple[bytes, bytes]], own: str, *, is_known: bool) -> None:
        """The same for the headers of an ASGI scope, in place; `is_known`: a declared proxy sent them."""
        sent = [value for name, value in headers if name == _PARENT]
        parent = parse(sent[0].decode("latin-1")) if is_known and own and len(sent) == 1 else None
        gone = (_PARENT, _STATE) if parent is None else (_PARENT,)
        headers[:] = [pair for pair in headers if pair[0] not in gone]
        if own:
            headers.append((_PARENT, self._traceparent(own, parent).encode("latin-1")))

    def _traceparent(self, own: str, parent: Parent | None) -> str:
        if parent:
            return f"00-{parent.trace}-{own[_HALF:]}-{'01' if parent.is_sampled else '00'}"
        return f"00-{own}-{own[_HALF:]}{'-01' if own[16:20] < self._below else '-00'}"


def _taken(environ: dict[str, Any]) -> Parent | None:
    """The request's trace headers, removed from the environ; tracestate stays if the trace continues."""
    sent = environ.pop("HTTP_TRACEPARENT", "")
    parent = parse(sent) if environ.get("PORTICO_BEHIND") == "1" else None
    if parent is None or not environ.get("HTTP_X_REQUEST_ID"):
        environ.pop("HTTP_TRACESTATE", None)
        return None
    return parent
