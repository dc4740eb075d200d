"""Gunicorn."""

from __future__ import annotations

from msgspec.structs import replace

from portico.app_servers.kind import AppServer, Feature

_EVERY_GUNICORN = frozenset({
    Feature.WEBSOCKETS, Feature.STREAMS, Feature.LASTING, Feature.PREFIX, Feature.FENCE, Feature.ONE_LINE,
    Feature.NUMBERS, Feature.APP_OUTPUT, Feature.TRACE, Feature.REPORT, Feature.SCALE, Feature.IN_TURN, Feature.AHEAD,
})  # fmt: skip

GUNICORN = AppServer(
    "gunicorn",
    title="Gunicorn",
    package="gunicorn",
    # The number of workers, whom it believes, how it sends files.
    variables=frozenset({"WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "SENDFILE"}),
    # GUNICORN_CMD_ARGS comes after the configuration file and wins.
    prefix="GUNICORN_",
    protocol="uwsgi",
    features=_EVERY_GUNICORN | {
        Feature.WSGI, Feature.DOWNLOADS, Feature.UPLOADS, Feature.LEFT, Feature.QUEUE, Feature.THREADS,
        Feature.TRACE_VIEW, Feature.TRACEPARENT,
        Feature.SLOW, Feature.PAUSE, Feature.DEVELOPMENT,
    },
    worker="portico.link.gunicorn.worker.Worker",
    cannot_load=frozenset({3, 4}),
)  # fmt: skip
"""With Portico's own worker."""
GUNICORN_ASGI = replace(
    GUNICORN,
    mode="asgi",
    features=_EVERY_GUNICORN
    | {
        Feature.ASGI,
        Feature.DEVELOPMENT,
        Feature.DOWNLOADS,
        Feature.LEFT,
        Feature.PAUSE,
        Feature.QUEUE,
        Feature.SLOW,
        Feature.TRACE_VIEW,
        Feature.TRACEPARENT,
        Feature.UPLOADS,
    },
    worker="portico.link.gunicorn.asgi.Worker",
)
"""With Portico's worker for ASGI apps."""
GUNICORN_ASGI_HTTP = replace(
    GUNICORN,
    mode="asgi over http",
    protocol="http",
    features=_EVERY_GUNICORN | {Feature.ASGI},
    worker="portico.link.gunicorn.asgi_http.Worker",
)
"""With its own asgi worker, extended by Portico: for a gateway or other servers that speak HTTP."""
