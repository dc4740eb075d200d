"""The one line a request (D4): what nginx writes, field by field."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.nginx.conf import Directive, directive, entries
from portico.plan.nginx.pages import PREFIX
from portico.plan.paths import Paths

FORMAT = "portico_line"

FIELDS: dict[str, tuple[str, str]] = {
    "time": ("$time_iso8601", "when the answer was finished"),
    "id": ("$request_id", "the request's id, given to the app and back to the client as X-Request-ID"),
    "client": ("$remote_addr", "the client's address, as the app sees it"),
    "method": ("$portico_method", "the request's method"),
    "scheme": ("$portico_scheme", "http or https, as the client used it"),
    "host": ("$host", "the host asked for"),
    "uri": ("$request_uri", "path and query as the client sent them"),
    "status": ("$status", "the answer's status"),
    "bytes_in": ("$request_length", "bytes of the request, head and body"),
    "bytes_out": ("$bytes_sent", "bytes of the answer, head and body"),
    "protocol": ("$server_protocol", "HTTP/1.1, HTTP/2.0"),
    "tls": ("$ssl_protocol", "TLSv1.3, TLSv1.2; empty without TLS"),
    "cipher": ("$ssl_cipher", "the cipher that was agreed on; empty without TLS"),
    "connection": ("$connection", "the client connection's number, which nginx's error log names as *N"),
    "limit_rate": ("$limit_req_status", "PASSED, REJECTED, ... by the limit on requests; empty without one"),
    "limit_connections": ("$limit_conn_status", "the same by the limit on connections"),
    "cache": ("$upstream_cache_status", "HIT, MISS, ...; empty when no cache was asked"),
    "seconds": ("$request_time", "from the first byte of the request to the last of the answer"),
    "upstream": ("$upstream_addr", "the socket or server that answered; several when one was retried"),
    "upstream_status": ("$upstream_status", "what it answered"),
    "connect_seconds": ("$upstream_connect_time", "time to connect to it"),
    "header_seconds": ("$upstream_header_time", "time until its head was there"),
    "response_seconds": ("$upstream_response_time", "time until its answer was complete"),
    "worker": ("$upstream_http_x_portico", "the worker's numbers: queue us, app us, pid, thread, endpoint"),
    "agent": ("$http_user_agent", "the client's User-Agent"),
    "referer": ("$http_referer", "the client's Referer"),
}
"""Every field of the line: nginx's variable and what it means. Times are in seconds."""

NUMBERS = {"status", "bytes_in", "bytes_out", "seconds", "connection"}
"""Fields that always hold one number; those of the upstream may hold none, or several after a retry."""

_METHODS = ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
NEEDS = {"tls": "http_ssl_module", "cipher": "http_ssl_module"}
"""Fields whose variable only a build with that module knows."""


def log(place: Place) -> list[Directive]:
    """The format, and where the line goes."""
    paths = Paths.of(place)
    known = (name for name in FIELDS if NEEDS.get(name, "") in {"", *place.nginx.modules})
    line = "{" + ",".join(map(_field, known)) + "}"
    return [
        *_method(),
        directive(
            "log_format", FORMAT, "escape=json", line,
            why="one JSON line a request: metrics, trace, top and the terminal all read this one; "
            "escape=json keeps a hostile User-Agent inside its quotes",
            cause="D4",
        ),
        directive(
            "access_log", paths.access_log, FORMAT, "buffer=32k", "flush=250ms",
            why="lines are written in batches, at the latest after a quarter of a second, "
            "so that logging costs a request next to nothing",
            cause="D4",
        ),
    ]  # fmt: skip


def _method() -> list[Directive]:
    why = "nginx makes a GET of what leads to an error page; the log says what the client asked"
    words = [(f"~^{method} ", method) for method in _METHODS]
    return [
        entries("map", "$request", "$portico_first_method", table=[("default", "GET"), *words], why=why, cause="D4"),
        entries(
            "map", "$uri", "$portico_method",
            table=[("default", "$request_method"), (f"~^{PREFIX}", "$portico_first_method")], why=why, cause="D4",
        ),
    ]  # fmt: skip


def _field(name: str) -> str:
    variable, _ = FIELDS[name]
    return f'"{name}":{variable}' if name in NUMBERS else f'"{name}":"{variable}"'
