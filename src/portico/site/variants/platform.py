"""Options as the place changes them: the port from the platform, and an app whose gateway is elsewhere.

Heroku, Cloud Run, Railway and others set `PORT` in the environment.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from portico.site.facts import AppFacts
from portico.site.model import Site
from portico.site.options import Options
from portico.values import Address

VARIABLE = "PORT"
CAUSE = "PORT in the environment"
_HIGHEST = 65535
_OF_THE_APP = (
    "app", "name", "domains", "canonical", "user", "mount", "behind", "behind_only", "behind_headers",
    "behind_protocol", "client_headers", "request_timeout", "max_upload", "health", "start_timeout", "env_file",
    "env", "processes", "workers", "python", "node", "release", "log", "trace", "gateway",
)  # fmt: skip
_OF_A_ROUTE = ("timeout", "stream")
"""What the worker must know of it."""


def with_port(
    options: Options, causes: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[Options, dict[str, str]]:
    """The options with `listen` on every address at that port, if `listen` is not set and HTTPS is off.

    Gunicorn does the same: https://docs.gunicorn.org/en/stable/settings.html#bind. Other values are ignored:
    container links set PORT variables like tcp://10.0.0.1:80.
    """
    text = environ.get(VARIABLE, "")
    is_port = text.isascii() and text.isdigit() and 0 < int(text) <= _HIGHEST
    if not is_port or "listen" in causes or Site(options, AppFacts(app="", directory=""), "", "").has_https:
        return options, dict(causes)
    return msgspec.structs.replace(options, listen=Address("*", int(text))), {**causes, "listen": CAUSE}


def without_gateway(options: Options) -> Options:
    """The options of the app alone if its gateway is elsewhere: what they say about clients is the gateway's.

    So no file of a certificate, a password or a page has to be where the app is.
    """
    if not options.node.socket:
        return options
    routes = {
        rule: type(edge)(**{name: getattr(edge, name) for name in _OF_A_ROUTE})
        for rule, edge in options.routes.items()
    }
    tracing = msgspec.structs.replace(
        options.tracing, headers_file=""
    )  # the gateway's Portico sends the spans
    kept = {name: getattr(options, name) for name in _OF_THE_APP}
    return Options(**kept, routes=routes, tracing=tracing)
