"""The features of app servers. Code asks for a feature, never for a program's name."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Feature(StrEnum):
    """A feature that not every app server has, in the words of docs/app-servers.md."""

    WSGI = "runs WSGI apps: Flask, Django, Pyramid"
    ASGI = "runs ASGI apps: FastAPI, Starlette, Quart"
    DOWNLOADS = "the gateway sends the files that the app opens"
    UPLOADS = "takes an upload as a file (`upload_to_file`)"
    WEBSOCKETS = "WebSockets, closed with 1001 when their release ends"
    STREAMS = "recognises event streams and JSON lines, which the gateway then does not buffer"
    LASTING = "long requests do not take threads from others"
    THREADS = "adds threads while requests wait in the queue and the threads wait, too (`workers.threads`)"
    LEFT = "skips a request whose client left while it waited"
    QUEUE = "keeps the queue so short that it answers in time (`workers.queue`)"
    PREFIX = "takes the mount and a proxy's prefix from each request"
    FENCE = "removes whole families of headers that only a proxy may send"
    ONE_LINE = "joins the lines of `Vary` and of `Cache-Control`, for the cache of nginx before 1.23"
    NUMBERS = "reports queue time, app time and route, for the log line"
    APP_OUTPUT = "adds the request's ID to the app's output"
    TRACE = "`portico trace` shows the steps inside the worker"
    TRACE_VIEW = "`portico trace` shows the way to the view"
    TRACEPARENT = "makes the `traceparent` of each request, for OpenTelemetry"
    SLOW = "slow requests in `portico status`, with their stacks"
    REPORT = "reports the code and the memory of its workers"
    PAUSE = "`portico pause`"
    SCALE = "`portico scale`"
    IN_TURN = "a replaced worker exits once its successor has loaded the app"
    DEVELOPMENT = "`portico run --dev`: reload, debugger and pdb"
    AHEAD = "imports the app while Portico still inspects it"


class AppServer(Struct, frozen=True):
    """A program that runs the app, in one mode."""

    name: str
    """Its name in `[workers] server`, and the process's; empty if Portico runs no app."""
    mode: str = ""
    """How it runs the app, where its program has several ways: no two kinds of a name have the same."""
    title: str = ""
    """Its name in sentences."""
    package: str = ""
    """The package that pip installs."""
    extra: str = ""
    """Portico's own extra with that package (pyproject.toml); empty if every installation has it."""
    variables: frozenset[str] = frozenset()
    """Environment variables that would decide for it."""
    prefix: str = ""
    """The start of the names of more of them."""
    protocol: str = ""
    """Its protocol to the gateway: uwsgi or http."""
    features: frozenset[Feature] = frozenset()
    worker: str = ""
    """The worker class, if the program has such an option."""
    cannot_load: frozenset[int] = frozenset()
    """The exit codes for workers that could not boot or could not load the app."""
    banner: str = ""
    """A regular expression for the start of lines in which it describes itself when it starts."""


NONE = AppServer("")
"""For sites whose servers are all elsewhere."""
