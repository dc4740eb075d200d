"""The kinds of app server and the features of each. Code asks for a feature, never for a program's name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from portico.place import app_servers
from portico.place.app_servers import Program
from portico.plan.appserver.banner import UWSGI as _UWSGI_BANNER
from portico.site.model import Site


class Feature(StrEnum):
    """A feature that not every app server has, in the words of docs/app-servers.md."""

    WSGI = "runs WSGI apps: Flask, Django, Pyramid"
    ASGI = "runs ASGI apps: FastAPI, Starlette, Quart"
    DOWNLOADS = "nginx sends the files that the app opens"
    UPLOADS = "takes an upload as a file (`upload_to_file`)"
    WEBSOCKETS = "WebSockets, closed with 1001 when their release ends"
    STREAMS = "recognises event streams and lines of JSON, which nginx then does not buffer"
    LASTING = "long requests take no thread from the others"
    LEFT = "does not execute a request whose client left while it waited"
    QUEUE = "keeps the queue as short as it can answer in time (`workers.queue`)"
    FENCE = "removes whole families of headers that only a proxy may send"
    ONE_LINE = "joins the lines of `Vary` and of `Cache-Control`, for the cache of nginx before 1.23"
    NUMBERS = "reports queue time, app time and route, for the log line"
    APP_OUTPUT = "app output with the id of its request"
    TRACE = "`portico trace` shows the steps inside the worker"
    TRACE_VIEW = "`portico trace` shows the way to the view"
    TRACEPARENT = "makes the `traceparent` of each request, for OpenTelemetry"
    SLOW = "slow requests in `portico status`, with their stacks"
    REPORT = "reports the code and the memory of its workers"
    PAUSE = "`portico pause`"
    SCALE = "`portico scale`"
    IN_TURN = "a worker that is replaced leaves when its successor has loaded the app"
    AHEAD = "starts to import the app while Portico still asks it"


@dataclass(frozen=True)
class AppServer:
    """A program that runs the app, in one mode."""

    program: Program
    protocol: str
    """Its protocol to the gateway: uwsgi or http."""
    features: frozenset[Feature]
    worker: str = ""
    """The worker class, if the program has such an option."""
    cannot_load: frozenset[int] = frozenset()
    """The exit codes for workers that could not boot or could not load the app."""
    banner: str = ""
    """A regular expression for the start of lines in which it describes itself when it starts."""

    @property
    def name(self) -> str:
        return self.program.name


_EVERY_GUNICORN = frozenset({
    Feature.WEBSOCKETS, Feature.STREAMS, Feature.LASTING, Feature.FENCE, Feature.ONE_LINE, Feature.NUMBERS,
    Feature.APP_OUTPUT, Feature.TRACE, Feature.REPORT, Feature.SCALE, Feature.IN_TURN, Feature.AHEAD,
})  # fmt: skip

GUNICORN = AppServer(
    app_servers.GUNICORN,
    protocol="uwsgi",
    features=_EVERY_GUNICORN | {
        Feature.WSGI, Feature.DOWNLOADS, Feature.UPLOADS, Feature.LEFT, Feature.QUEUE,
        Feature.TRACE_VIEW, Feature.TRACEPARENT,
        Feature.SLOW, Feature.PAUSE,
    },
    worker="portico.link.gunicorn.worker.Worker",
    cannot_load=frozenset({3, 4}),
)  # fmt: skip
"""With Portico's own worker."""
GUNICORN_ASGI = replace(
    GUNICORN,
    protocol="http",
    features=_EVERY_GUNICORN | {Feature.ASGI},
    worker="portico.link.gunicorn.asgi.Worker",
)
"""With its own asgi worker, extended by Portico."""
UWSGI = AppServer(
    app_servers.UWSGI,
    protocol="uwsgi",
    features=frozenset({Feature.WSGI, Feature.AHEAD}),
    cannot_load=frozenset({22}),
    banner=_UWSGI_BANNER,
)
NONE = AppServer(app_servers.NONE, protocol="", features=frozenset())
"""For sites whose servers are all elsewhere."""

KINDS = (GUNICORN, GUNICORN_ASGI, UWSGI)


def app_server(site: Site) -> AppServer:
    """The app server of the app. It may be unable to run it: `appserver.build` says why."""
    if not site.has_app:
        return NONE
    able = Feature.ASGI if site.is_asgi else Feature.WSGI
    named = [kind for kind in KINDS if kind.name == site.options.workers.server]
    return next((kind for kind in named if able in kind.features), named[0])


def process_kind(name: str, protocol: str) -> AppServer:
    """The kind of a planned process; NONE if it is not an app server."""
    return next((kind for kind in KINDS if (kind.name, kind.protocol) == (name, protocol)), NONE)


def protocol(site: Site) -> str:
    """The protocol to the upstream: uwsgi, http, https or fastcgi."""
    return app_server(site).protocol or site.servers[0].protocol


def common_features(site: Site) -> frozenset[Feature]:
    """The features of everything that may answer a request; those of servers elsewhere are unknown."""
    return frozenset() if site.servers else app_server(site).features
