"""The one line a request (D4): what nginx writes, field by field."""

from __future__ import annotations

from portico.plan.nginx.conf import Directive, directive
from portico.plan.paths import Paths

FORMAT = "portico_line"
FILE_FORMAT = "portico_file"

FIELDS: dict[str, tuple[str, str]] = {
    "time": ("$time_iso8601", "when the answer was finished"),
    "id": ("$request_id", "the request's id, given to the app and back to the client as X-Request-ID"),
    "client": ("$remote_addr", "the client's address, as the app sees it"),
    "method": ("$request_method", "the request's method"),
    "scheme": ("$portico_scheme", "http or https, as the client used it"),
    "host": ("$host", "the host asked for"),
    "uri": ("$request_uri", "path and query as the client sent them"),
    "status": ("$status", "the answer's status"),
    "bytes_in": ("$request_length", "bytes of the request, head and body"),
    "bytes_out": ("$bytes_sent", "bytes of the answer, head and body"),
    "protocol": ("$server_protocol", "HTTP/1.1, HTTP/2.0"),
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

NUMBERS = {"status", "bytes_in", "bytes_out", "seconds"}
"""Fields that always hold one number; those of the upstream may hold none, or several after a retry."""


_OF_FILES = {
    name: f'"{name}":""' for name, (variable, _) in FIELDS.items() if variable.startswith("$upstream_")
}
"""What is empty when nginx answers by itself, written as it stands: seven variables less to look up for each file."""


def log(paths: Paths) -> list[Directive]:
    """The formats, and where the line goes."""
    line = "{" + ",".join(map(_field, FIELDS)) + "}"
    file_line = "{" + ",".join(_OF_FILES.get(name) or _field(name) for name in FIELDS) + "}"
    return [
        directive(
            "log_format", FORMAT, "escape=json", line,
            why="one JSON line a request: metrics, trace, top and the terminal all read this one; "
            "escape=json keeps a hostile User-Agent inside its quotes",
            cause="D4",
        ),
        directive(
            "log_format", FILE_FORMAT, "escape=json", file_line,
            why="the same line for files: nginx answers them itself, and what it would say of the app is empty",
            cause="D4",
        ),
        _access_log(paths, FORMAT),
    ]  # fmt: skip


def file_log(paths: Paths) -> Directive:
    """Where the line of a file goes: the same file, the same line, made faster."""
    return _access_log(paths, FILE_FORMAT)


def _access_log(paths: Paths, form: str) -> Directive:
    return directive(
        "access_log", paths.access_log, form, "buffer=32k", "flush=250ms",
        why="lines are written in batches, at the latest after a quarter of a second, "
        "so that logging costs a request next to nothing",
        cause="D4",
    )  # fmt: skip


def _field(name: str) -> str:
    variable, _ = FIELDS[name]
    return f'"{name}":{variable}' if name in NUMBERS else f'"{name}":"{variable}"'
