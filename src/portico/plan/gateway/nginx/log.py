"""The one line for each request: what nginx writes, field by field."""

from __future__ import annotations

from collections.abc import Iterable

from portico.place.model import Place
from portico.plan import decisions
from portico.plan.gateway.nginx.conf import Directive, directive, entries
from portico.plan.gateway.nginx.log_text import (
    CHECKED,
    DIRECT,
    FORWARDED,
    PLAIN,
    REFUSED_BY,
    forwarded_maps,
    negated,
    text_maps,
)
from portico.plan.gateway.nginx.names import PREFIX, name_of, variable
from portico.plan.gateway.nginx.trust import scheme
from portico.plan.paths import Paths
from portico.plan.web.model import Web

_CHECKED = "_checked"
"""What the name of a format has at its end whose texts are looked at byte by byte."""

FIELDS: dict[str, tuple[str, str]] = {
    "time": ("$time_iso8601", "when the answer was finished"),
    "id": ("$request_id", "the request's id, given to the app and back to the client as X-Request-ID"),
    "client": ("$remote_addr", "the client's address, as the app sees it"),
    "method": ("$request_method", "the request's method"),
    "scheme": ("$scheme", "http or https, as the client used it"),
    "host": ("$host", "the host asked for"),
    "uri": ("$request_uri", "path and query as the client sent them"),
    "status": ("$status", "the answer's status; 499 when the client left before a byte of it was sent"),
    "bytes_in": ("$request_length", "bytes of the request, head and body"),
    "bytes_out": ("$bytes_sent", "bytes of the answer, head and body"),
    "protocol": ("$server_protocol", "HTTP/1.1, HTTP/2.0"),
    "tls": ("$ssl_protocol", "TLSv1.3, TLSv1.2; empty without TLS"),
    "cipher": ("$ssl_cipher", "the cipher that was agreed on; empty without TLS"),
    "connection": ("$connection", "the client connection's number, which nginx's error log names as *N"),
    "refused_by": (
        REFUSED_BY,
        "the guard that kept the request from the app: maintenance, starting, head, upload, rate or connections",
    ),
    "cache": ("$upstream_cache_status", "HIT, MISS, ...; empty when no cache was asked"),
    "seconds": ("$request_time", "from the first byte of the request to the last of the answer"),
    "upstream": ("$upstream_addr", "the socket or server that answered; several when one was retried"),
    "upstream_status": ("$upstream_status", "what it answered"),
    "connect_seconds": ("$upstream_connect_time", "time to connect to it"),
    "header_seconds": ("$upstream_header_time", "time until its head was there"),
    "response_seconds": ("$upstream_response_time", "time until its answer was complete"),
    "worker": ("$upstream_http_x_portico", "the worker's numbers: queue us, app us, pid, thread, endpoint"),
    "forwarded": (
        FORWARDED,
        "the mark of a proxy that `behind` does not name: cloudflare, aws or proxy; not in the line with `behind`",
    ),
    "agent": ("$http_user_agent", "the client's User-Agent"),
    "referer": ("$http_referer", "the client's Referer"),
}
"""Every field of the line: nginx's variable and what it means. Times are in seconds."""

TRACING_FIELDS: dict[str, tuple[str, str]] = {
    "ended": ("$msec", "when the answer was finished, in seconds since 1970, to the millisecond"),
    "traceparent": ("$http_traceparent", "the trace context that came with the request, believed or not"),
    "trusted": ("$portico_behind", "1 when it came from a declared proxy, and so is believed"),
}
"""What the lines of a site with [tracing] have besides; the last one behind declared proxies only."""

NUMBERS = {"status", "bytes_in", "bytes_out", "seconds", "connection", "ended"}
"""Fields that always hold one number; those of the upstream may hold none, or several after a retry."""

NEEDS = {"tls": "http_ssl_module", "cipher": "http_ssl_module"}
"""Fields of HTTPS, whose variable only a build with that module knows."""

_NOT_OF_FILES = {
    name
    for name, (variable, _) in FIELDS.items()
    if variable.startswith("$upstream_") or name in ("forwarded", "refused_by")
}
"""What can only be empty for a file, which nginx answers by itself: ten variables less to look up for each."""
_VARIABLES = FIELDS | TRACING_FIELDS
_METHODS = ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def log(place: Place, web: Web | None = None) -> list[Directive]:
    """The formats, and where the line goes; without one, for what a gateway answers to strangers."""
    known = [name for name in FIELDS if _has(name, place, web)] + _of_traces(web)
    said = {"scheme": scheme(web), "trusted": variable(web, "behind")} if web else {}
    of_file = [name for name in known if name not in _NOT_OF_FILES]
    return [
        *_formats(
            _format("line", web), known, said, is_tried=web is not None and _is_tried(web),
            why="one JSON line a request: metrics, trace, top and the terminal all read this one; "
            "escape=json keeps a hostile User-Agent inside its quotes",
        ),
        *_formats(
            _format("file", web), of_file, said,
            why="the same line for files: nginx answers them itself, so the fields about the app are left out",
        ),
        *_formats(
            _format("error", web), known, said | {"method": "$portico_method"},
            why="the same line for error pages, with the method that the client used",
        ),
        *_access_log(Paths.of(place), _format("line", web), _is_ordinary(web)),
    ]  # fmt: skip


def _format(word: str, web: Web | None) -> str:
    return name_of(web, word) if web else f"{PREFIX}{word}"


def _formats(
    name: str, fields: Iterable[str], others: dict[str, str], why: str, *, is_tried: bool = False
) -> list[Directive]:
    """One for ordinary requests, and one whose texts are looked at byte by byte.

    With `is_tried` an ordinary request may have gone beyond a limit that is only tried (dry run).
    """
    fields = tuple(fields)
    never = {"forwarded": ""} if is_tried else {"forwarded": "", "refused_by": ""}
    return [
        directive(
            "log_format", name, "escape=json", _line(fields, others | never, {}),
            why=why, cause=decisions.LOG_LINE,
        ),
        directive(
            "log_format", name + _CHECKED, "escape=json", _line(fields, others, CHECKED),
            why="the same fields for a request that is not ordinary: text that may be no UTF-8, a client that left, "
            "a proxy that nobody declared, one that a guard refused",
            cause=decisions.LOG_LINE,
        ),
    ]  # fmt: skip


def _of_traces(web: Web | None) -> list[str]:
    tracing = web and web.tracing
    if not tracing:
        return []
    return [name for name in TRACING_FIELDS if name != "trusted" or tracing.from_proxy]


def _has(name: str, place: Place, web: Web | None) -> bool:
    """A field that is empty for every request of a site is not looked up at each."""
    if name in NEEDS:
        return NEEDS[name] in place.nginx.modules and (web is None or web.tls is not None)
    if name == "forwarded":
        return web is not None and not web.trust.proxies
    return True


def log_maps() -> list[Directive]:
    """The variables that only log lines have, at http level."""
    methods = [(f"~^{method} ", method) for method in _METHODS]
    return [
        entries(
            "map", "$request", "$portico_method", table=[("default", "GET"), *methods],
            why="nginx makes a GET of what leads to an error page; the log says what the client asked",
            cause=decisions.LOG_LINE,
        ),
        *text_maps(),
        *forwarded_maps(),
    ]  # fmt: skip


def file_log(web: Web) -> list[Directive]:
    """Where the line of a file goes: the same file, a shorter line."""
    return _access_log(Paths.of(web.place), _format("file", web), PLAIN)


def page_log(web: Web) -> list[Directive]:
    """Where the line of a request goes that ended at an error page."""
    return _access_log(Paths.of(web.place), _format("error", web), _is_ordinary(web))


def _is_tried(web: Web) -> bool:
    return web.limits.is_dry_run or web.own.say("dry_run")


def _is_ordinary(web: Web | None) -> str:
    """The variable that is 1 for an ordinary request: one of a site that looks for proxies came through none."""
    return DIRECT if web is not None and not web.trust.proxies else PLAIN


def _access_log(paths: Paths, form: str, is_ordinary: str) -> list[Directive]:
    """Two of them write one line a request between them: their conditions exclude each other."""
    return [
        directive(
            "access_log", paths.access_log, form, "buffer=32k", "flush=250ms", f"if={is_ordinary}",
            why="lines are written in batches, at the latest after a quarter of a second, "
            "so that logging costs a request next to nothing",
            cause=decisions.LOG_LINE,
        ),
        directive(
            "access_log", paths.access_log, form + _CHECKED, "buffer=32k", "flush=250ms", f"if={negated(is_ordinary)}",
            why="the line of a request that is not ordinary, in the same buffer: only such a request pays for "
            "the checks",
            cause=decisions.LOG_LINE,
        ),
    ]  # fmt: skip


def _line(names: Iterable[str], others: dict[str, str], checked: dict[str, str]) -> str:
    """A line of these fields. `others` are what stands for a field's own variable; `checked` for a variable."""
    return (
        "{" + ",".join(_field(name, others.get(name, _VARIABLES[name][0]), checked) for name in names) + "}"
    )


def _field(name: str, variable: str, checked: dict[str, str]) -> str:
    logged = checked.get(variable, variable)
    return f'"{name}":{logged}' if name in NUMBERS else f'"{name}":"{logged}"'
