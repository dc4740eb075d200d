"""Names of Portico's in httpd's configuration: the variables of a request, the balancers, the internal paths.

A client can set no variable: its headers begin with `HTTP_` there.
"""

from __future__ import annotations

from typing import Final

from portico.plan.paths import hosted_files
from portico.plan.web.model import Web

ID: Final = "PORTICO_ID"
"""The id of the request: 32 hexadecimal digits."""
SCHEME: Final = "PORTICO_SCHEME"
"""http or https, as the client used it."""
BEHIND: Final = "PORTICO_BEHIND"
"""1 for a connection of a declared proxy."""
SENDER: Final = "PORTICO_PROXY"
"""1 for such a proxy, 2 for one that many customers share, else 0: Portico's worker reads it."""
PREFIX: Final = "PORTICO_PREFIX"
"""The URL prefix that the app sees: httpd sets SCRIPT_NAME itself."""
BEFORE: Final = "PORTICO_BEFORE"
"""The part of it that a declared proxy took off the path."""
MSEC: Final = "PORTICO_MSEC"
"""When the request came, in seconds since 1970."""
PEER: Final = "PORTICO_PEER"
"""Both ends of the client's connection: ADDRESS PORT ADDRESS PORT."""
GUARD: Final = "PORTICO_GUARD"
"""The guard that refused the request; empty for none."""
URI: Final = "PORTICO_URI"
"""Path and query as the client sent them."""
PATH: Final = "PORTICO_PATH"
"""The path alone."""
AGENT, REFERER, PAGE = "PORTICO_AGENT", "PORTICO_REFERER", "PORTICO_PAGE"
"""Headers for the log line, empty if they are missing; the format of an error page."""
CODING, COPY = "PORTICO_CODING", "PORTICO_COPY"
"""The best coding of a compressed copy that the client takes; the coding of the copy that is sent."""
WORKER: Final = "portico_worker"
"""The note with the worker's numbers."""
UPSTREAM: Final = "BALANCER_WORKER_NAME"
"""The member that got the request; mod_proxy_balancer sets it."""


UNLOGGED: Final = "PORTICO_UNLOGGED"
"""1 for a request that gets no line: a health check."""


TO: Final = "PORTICO_TO"
"""The balancer that a request with a resolved path goes to, without `balancer://`."""
DOLLAR: Final = "PORTICO_DOLLAR"
"""A `$`: httpd replaces `${NAME}` while it reads its files, and a variable of the request is written the same way."""


def file_of(web: Web, name: str) -> str:
    """A file of the site that changes at run time, relative to its httpd.conf."""
    return f"{hosted_files(web.name)}/{name}" if web.hosts.is_beside_others else name


def balancer(suffix: str = "") -> str:
    """The URL of the app's balancer, or of the one with other times."""
    return f"balancer://{balancer_name(suffix)}"


def balancer_name(suffix: str = "") -> str:
    """The same without its scheme."""
    return f"portico{'-' if suffix else ''}{suffix}"


OWN: Final = (
    f"-z reqenv('{UPSTREAM}') && -z reqenv('REDIRECT_STATUS') && "
    "(%{REQUEST_STATUS} -in {'204','308'} || %{REQUEST_STATUS} -ge 400)"
)
"""The condition of httpd's own answers without a page of Portico's: only `Header always` reaches them."""
SILENCE: Final = "PORTICO_SILENCE"
"""How long the target of this request may be silent, in microseconds."""
RULE: Final = "PORTICO_RULE"
"""The number of the [[route]] that takes the request."""
HERE: Final = "PORTICO_HERE"
"""Scheme and host of this request, for redirects to a path; empty if the client named no host."""
PRIVATE: Final = "PORTICO_PRIVATE"
"""1 for a route whose answers no cache may store."""
ROUTE: Final = "PORTICO_ROUTE"
"""The number of the route, where its answers have other headers than the site's."""
