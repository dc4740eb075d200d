"""Converts log lines to spans, in OpenTelemetry's own messages; the attributes are those of its conventions for
HTTP.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/. Each request has a span of the gateway's, from its first
byte to the last of the answer, and within it one of the upstream: from the gateway passing the request on to the end of
the answer. The log does not have that first moment. It is at once, except with a large body, which the gateway reads
first.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from portico import __version__
from portico.link.context import is_sampled, parse, spans
from portico.link.trace import Tracer
from portico.log.request import Request
from portico.plan.subjects import Tracing

Value = str | int | float
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
)
_VERSIONS = {"HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2.0": "2", "HTTP/3.0": "3"}
_OURS = "/-/"
"""Portico's own paths: health checks need no trace."""
_SAMPLED, _KNOWN_PARENT, _REMOTE_PARENT = 1, 0x100, 0x200
_LARGE_BODY = 1 << 16
_TRIES = re.compile(r", | : ")
_LONGEST = 2048
"""The limit of characters in a value that a client chose."""
_MS = 1_000_000
_ID = re.compile(r"[0-9a-f]{32}")


class Encoder:
    """Makes the messages of one service."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._masks = Tracer(None, tracing.mask)
        self._scope = InstrumentationScope(name="portico", version=__version__)
        self._resource = Resource(
            attributes=_attributes(
                {
                    "service.name": tracing.service,
                    "host.name": socket.gethostname(),
                    "telemetry.sdk.language": "python",
                    "telemetry.sdk.name": "portico",
                    "telemetry.sdk.version": __version__,
                }
            )
        )

    def is_wanted(self, request: Request) -> bool:
        """Whether spans of that request are sent."""
        if not request.ended or not _ID.fullmatch(request.id) or request.uri.startswith(_OURS):
            return False
        if parent := request.parent:
            return parent.is_sampled
        return is_sampled(request.id, self._tracing.below)

    def message(self, requests: Iterable[Request]) -> bytes:
        """The body of a request to the collector."""
        made = [span for request in requests for span in self._spans(request)]
        scoped = ScopeSpans(scope=self._scope, spans=made)
        body: bytes = ExportTraceServiceRequest(
            resource_spans=[ResourceSpans(resource=self._resource, scope_spans=[scoped])]
        ).SerializeToString()
        return body

    def _spans(self, request: Request) -> Iterator[Span]:
        end = round(request.ended * 1000) * _MS
        start = max(0, end - round(request.seconds * 1000) * _MS)
        if not request.is_by_gateway:
            inner = self._inner(request, start, end)
            end = max(end, inner.end_time_unix_nano)  # The gateway has milliseconds, the worker microseconds
            yield inner
        yield self._outer(request, start, end)

    def _outer(self, request: Request, start: int, end: int) -> Span:
        """The gateway's span: the request as its client sees it."""
        parent, came = request.parent, parse(request.traceparent)
        route = self._route(request)
        method = request.method if request.method in _METHODS else "_OTHER"
        told: dict[str, Value] = {
            "http.request.method": method,
            "url.scheme": request.scheme,
            "url.path": request.path[:_LONGEST],
            "url.query": self._masked(request.uri).partition("?")[2],
            "http.route": route,
            "http.response.status_code": request.status,
            "server.address": request.host,
            "network.protocol.version": _VERSIONS.get(request.protocol, ""),
            "client.address": request.client,
            "user_agent.original": request.agent[:_LONGEST],
            "portico.request_id": request.id,
            "portico.cache": request.cache,
        }
        if method == "_OTHER":
            told["http.request.method_original"] = request.method[:_LONGEST]
        own, _ = spans(request.id)
        span = Span(
            trace_id=bytes.fromhex(request.trace),
            span_id=bytes.fromhex(own),
            parent_span_id=bytes.fromhex(parent.span) if parent else b"",
            flags=_SAMPLED | _KNOWN_PARENT | (_REMOTE_PARENT if parent else 0),
            name=f"{'HTTP' if method == '_OTHER' else method} {route}".rstrip(),
            kind=Span.SPAN_KIND_SERVER,
            start_time_unix_nano=start,
            end_time_unix_nano=end,
        )
        if came and not parent:  # an untrusted client's trace is not continued, but recorded
            span.links.add(trace_id=bytes.fromhex(came.trace), span_id=bytes.fromhex(came.span))
        return _finished(span, told, request.status)

    def _inner(self, request: Request, start: int, end: int) -> Span:
        """The upstream's span: the app, or a server elsewhere."""
        numbers = request.numbers
        taken = round(_last(request.response_seconds) * 1000) * _MS
        queue_ns, app_ns = (numbers.queue_us or 0) * 1000, (numbers.app_us or 0) * 1000
        if request.bytes_in > _LARGE_BODY:
            start = max(start, end - taken)
        outer, own = spans(request.id)
        pid = numbers.pid
        is_app = pid is not None or (request.is_cache_hit and bool(request.worker))
        told: dict[str, Value] = {"http.route": self._route(request), "portico.tries": request.retries + 1}
        if is_app:
            told["portico.endpoint"] = numbers.endpoint
        if pid is not None:
            told |= {
                "process.pid": pid,
                "portico.queue_seconds": (numbers.queue_us or 0) / 1e6,
                "portico.app_seconds": (numbers.app_us or 0) / 1e6,
            }
        if not is_app:
            told |= {
                "http.request.method": request.method if request.method in _METHODS else "_OTHER",
                "url.full": f"{request.scheme}://{request.host}{self._masked(request.uri)}"[:_LONGEST],
                "server.address": request.server,
            }
        status = int(_last(request.upstream_status))
        if status:
            told["http.response.status_code"] = status
        span = Span(
            trace_id=bytes.fromhex(request.trace),
            span_id=bytes.fromhex(own),
            parent_span_id=bytes.fromhex(outer),
            flags=_SAMPLED | _KNOWN_PARENT,
            name=numbers.endpoint or ("app" if is_app else request.method[:_LONGEST]),
            kind=Span.SPAN_KIND_INTERNAL if is_app else Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=start,
            end_time_unix_nano=start + max(taken, queue_ns + app_ns),
        )
        if pid is not None:
            span.events.add(name="taken by a worker", time_unix_nano=start + queue_ns)
        return _finished(span, told, status or request.status)

    def _route(self, request: Request) -> str:
        """The rule of the endpoint that answered, the endpoint's name if that has several, or empty."""
        endpoint: str = request.numbers.endpoint
        return self._tracing.routes.get(endpoint, endpoint)

    def _masked(self, uri: str) -> str:
        return str(self._masks.shown({"REQUEST_URI": uri})["REQUEST_URI"])[:_LONGEST]


def _finished(span: Span, told: dict[str, Value], status: int) -> Span:
    if status >= 500:
        span.status.code = Status.STATUS_CODE_ERROR
        told["error.type"] = str(status)
    span.attributes.extend(_attributes(told))
    return span


def _attributes(values: dict[str, Value]) -> list[KeyValue]:
    """Those that are not empty."""
    return [KeyValue(key=name, value=_any(value)) for name, value in values.items() if value != ""]


def _any(value: Value) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value.encode("utf-8", "replace").decode())
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)


def _last(text: str) -> float:
    """The number of the last attempt; 0 if there is none."""
    try:
        return float(_TRIES.split(text)[-1])
    except ValueError:
        return 0.0
