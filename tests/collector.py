"""A receiver of OTLP over HTTP: it decodes what comes with OpenTelemetry's own messages, and answers as it is told."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.until import until


class Collector:
    """What came: `spans` in their order, `resources` and `heads` of each sending. `status` is what it answers."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict[str, Any]] = []
        self.heads: list[dict[str, str]] = []
        self.status = 200
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._take(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()  # the port is ours from here on, and refuses connections until `begin`
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread: threading.Thread | None = None
        if not is_away:
            self.begin()

    def begin(self) -> None:
        """Be there."""
        self._server.server_activate()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.asked += 1
        status = self.status if handler.path == "/v1/traces" else 404
        if status == 200:
            message = ExportTraceServiceRequest.FromString(gzip.decompress(body))
            self.heads.append({name.lower(): value for name, value in handler.headers.items()})
            for one in message.resource_spans:
                self.resources.append(values(one.resource))
                self.spans += [span for scoped in one.scope_spans for span in scoped.spans]
        handler.send_response(status)
        handler.send_header("Content-Type", "application/x-protobuf")
        answer = ExportTraceServiceResponse().SerializeToString()
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    def of(self, request_id: str) -> list[Span]:
        """The spans of a request, waited for: nginx's first, then the app's if there is one."""
        own = (bytes.fromhex(request_id[:16]), bytes.fromhex(request_id[16:]))
        until(lambda: any(span.span_id == own[0] for span in self.spans))
        return sorted(
            (span for span in self.spans if span.span_id in own), key=lambda one: own.index(one.span_id)
        )

    def close(self) -> None:
        if self._thread:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


@contextmanager
def collector(*, is_away: bool = False) -> Iterator[Collector]:
    made = Collector(is_away=is_away)
    try:
        yield made
    finally:
        made.close()


def values(thing: Any) -> dict[str, Any]:
    """The attributes of a span or resource."""
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in thing.attributes}
