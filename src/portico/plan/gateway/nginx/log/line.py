"""The log line of each request: nginx's variables, field by field."""

from __future__ import annotations

from collections.abc import Iterable

from portico.place.model import Place
from portico.plan import decisions
from portico.plan.gateway.nginx.abilities import abilities
from portico.plan.gateway.nginx.entry.trust import scheme
from portico.plan.gateway.nginx.log.text import (
    CHECKED,
    DIRECT,
    FORWARDED,
    PLAIN,
    REFUSED_BY,
    forwarded_maps,
    negated,
    text_maps,
)
from portico.plan.gateway.nginx.names import name_of, spaced, variable
from portico.plan.gateway.nginx.syntax import Directive, directive, entries
from portico.plan.paths import Paths
from portico.plan.web.log import NUMBERS, Log
from portico.plan.web.log import log_of_strangers as decided_for_strangers
from portico.plan.web.model import Web

_CHECKED = "_checked"
"""The suffix of the name of a format whose texts are checked byte by byte."""

VARIABLES = {
    "time": "$time_iso8601",
    "id": "$request_id",
    "client": "$remote_addr",
    "method": "$request_method",
    "scheme": "$scheme",
    "host": "$host",
    "uri": "$request_uri",
    "status": "$status",
    "bytes_in": "$request_length",
    "bytes_out": "$bytes_sent",
    "protocol": "$server_protocol",
    "tls": "$ssl_protocol",
    "cipher": "$ssl_cipher",
    "connection": "$connection",
    "refused_by": REFUSED_BY,
    "cache": "$upstream_cache_status",
    "seconds": "$request_time",
    "upstream": "$upstream_addr",
    "upstream_status": "$upstream_status",
    "connect_seconds": "$upstream_connect_time",
    "header_seconds": "$upstream_header_time",
    "response_seconds": "$upstream_response_time",
    "worker": "$upstream_http_x_portico",
    "forwarded": FORWARDED,
    "agent": "$http_user_agent",
    "referer": "$http_referer",
    "ended": "$msec",
    "traceparent": "$http_traceparent",
    "trusted": "$portico_behind",
    "rule": "$portico_taken",
    "fetch_site": "$portico_fetch_site",
}
"""Every field of the line, as nginx's variables."""
_UNUSUAL_LIMIT = r"\blimit_(?:req|conn)_(?:dry_run|status)\b"
"""Own directives by which a limit refuses nothing, or refuses with another status."""
_FETCH_SITES = ("none", "same-origin", "same-site", "cross-site")
_METHODS = ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def log(web: Web) -> list[Directive]:
    """The formats, and the file of the lines."""
    said = {"scheme": scheme(web), "trusted": variable(web, "behind"), "rule": variable(web, "taken")}
    notes_limits = web.limits.is_dry_run or web.own.say(_UNUSUAL_LIMIT)
    return _log(web.log, Paths.of(web.place), web.space, said, notes_limits=notes_limits)


def log_of_strangers(place: Place) -> list[Directive]:
    """The same for requests that a shared gateway answers itself."""
    return _log(decided_for_strangers(abilities(place.gateway)), Paths.of(place), "", {}, notes_limits=False)


def _log(log: Log, paths: Paths, space: str, said: dict[str, str], *, notes_limits: bool) -> list[Directive]:
    """`notes_limits`: an ordinary request may be over a limit, and its line says so."""
    line, file, error = (spaced(space, word) for word in ("line", "file", "error"))
    return [
        *_formats(
            line, log.fields, said, notes_limits=notes_limits,
            why="one JSON line a request: metrics, trace, top and the terminal all read this one; "
            "escape=json keeps a hostile User-Agent inside its quotes",
        ),
        *_formats(
            file, log.of_files, said,
            why="the same line for files: nginx answers them itself, so the fields about the app are left out",
        ),
        *_formats(
            error, log.of_pages, said | {"method": "$portico_method"}, notes_limits=notes_limits,
            why="the same line for error pages, with the method that the client used",
        ),
        *_access_log(paths, line, _is_ordinary(log)),
    ]  # fmt: skip


def _formats(
    name: str, fields: Iterable[str], others: dict[str, str], why: str, *, notes_limits: bool = False
) -> list[Directive]:
    """One for ordinary requests, and one whose texts are checked byte by byte."""
    fields = tuple(fields)
    never = {"forwarded": ""} if notes_limits else {"forwarded": "", "refused_by": ""}
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


def log_maps() -> list[Directive]:
    """At http level: the variables that only log lines use."""
    methods = [(f"~^{method} ", method) for method in _METHODS]
    return [
        entries(
            "map", "$request", "$portico_method", table=[("default", "GET"), *methods],
            why="nginx makes a GET of what leads to an error page; the log says what the client asked",
            cause=decisions.LOG_LINE,
        ),
        entries(
            "map", "$http_sec_fetch_site", "$portico_fetch_site",
            table=[("default", "other"), ("", ""), *((word, word) for word in _FETCH_SITES)],
            why="what a browser says of the page that made it ask; in known words, since any client may send it",
            cause="guard.ban",
        ),
        *text_maps(),
        *forwarded_maps(),
    ]  # fmt: skip


def file_log(web: Web) -> list[Directive]:
    """The log of a file's requests: the same file, a shorter line."""
    return _access_log(Paths.of(web.place), name_of(web, "file"), PLAIN)


def page_log(web: Web) -> list[Directive]:
    """The log of requests that ended at an error page."""
    return _access_log(Paths.of(web.place), name_of(web, "error"), _is_ordinary(web.log))


def _is_ordinary(log: Log) -> str:
    """The variable that is 1 for an ordinary request: on a site that looks for proxies, one without their headers."""
    return DIRECT if log.notes_proxies else PLAIN


def _access_log(paths: Paths, form: str, is_ordinary: str) -> list[Directive]:
    """Two of them write one line for each request: their conditions exclude each other."""
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
    """A line of these fields. `others` replace a field's own variable; `checked` replace a variable."""
    return "{" + ",".join(_field(name, others.get(name, VARIABLES[name]), checked) for name in names) + "}"


def _field(name: str, variable: str, checked: dict[str, str]) -> str:
    logged = checked.get(variable, variable)
    return f'"{name}":{logged}' if name in NUMBERS else f'"{name}":"{logged}"'
