r"""The log line of a request, in httpd's words; and the error log.

httpd writes `\xHH` for bytes above 0x7e and for control characters, which is no JSON: `log.request` reads such a line,
too. Numbers in microseconds become seconds by an exponent (`7695e-6`).
"""

from __future__ import annotations

from portico.place.model import Place
from portico.plan import decisions
from portico.plan.gateway.httpd.entry.trust import empty, setting
from portico.plan.gateway.httpd.names import (
    AGENT,
    BEHIND,
    GUARD,
    ID,
    PATH,
    REFERER,
    RULE,
    SCHEME,
    UNLOGGED,
    UPSTREAM,
    URI,
    WORKER,
)
from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.paths import Paths
from portico.plan.web.log import NUMBERS, Log

_SENT = "%{THE_REQUEST} =~ m#^[^ ]+ (?:[a-z][a-z0-9+.-]*://[^/ ?]*)?"
_FORM, _TLS_FORM = "portico", "portico_tls"
_FETCHED = "PORTICO_FETCH_SITE"
_UNKNOWN = frozenset({
    "cache", "upstream_status", "connect_seconds", "header_seconds", "response_seconds",
})  # fmt: skip
"""Fields that httpd cannot fill: they are empty."""
_COMPLAINT = f"[%{{u}}t] [%-m:%l] [pid %P:tid %{{g}}T] %E: [client\\ %a] [id\\ %{{{ID}}}e] %M"
_WORDS = {
    "time": "%{end:%Y-%m-%dT%H:%M:%S%z}t",
    "id": f"%<{{{ID}}}e",
    "client": "%a",
    "method": "%<m",
    "scheme": f"%<{{{SCHEME}}}e",
    "host": "%V",
    "uri": f"%<{{{URI}}}e",
    "status": "%>s",
    "bytes_in": "%I",
    "bytes_out": "%O",
    "protocol": "%H",
    "tls": "%{SSL_PROTOCOL}x",
    "cipher": "%{SSL_CIPHER}x",
    "connection": "%{remote}p",
    "refused_by": f"%<{{{GUARD}}}e",
    "seconds": "%{us}Te-6",
    "upstream": f"%<{{{UPSTREAM}}}e",
    "worker": f"%<{{{WORKER}}}n",
    "forwarded": "%<{PORTICO_FORWARDED}e",
    "agent": f"%<{{{AGENT}}}e",
    "referer": f"%<{{{REFERER}}}e",
    "ended": "%{end:msec}te-3",
    "traceparent": "%<{PORTICO_TRACEPARENT}e",
    "trusted": f"%<{{{BEHIND}}}e",
    "rule": f"%<{{{RULE}}}e",
    "fetch_site": f"%<{{{_FETCHED}}}e",
}
"""Every field, as httpd writes it; `%<` is the request before an internal redirect to an error page."""


def log_formats(log: Log, *, has_tls: bool) -> list[Directive]:
    """The line, and the same with what is known of TLS."""
    why = (
        "one JSON line a request: metrics, trace, top and the terminal all read this one; httpd escapes what a client "
        "sent"
    )
    plain = _line(log, is_tls=False)
    made = [directive("LogFormat", plain, _FORM, why=why, cause=decisions.LOG_LINE)]
    if has_tls:
        made.append(
            directive("LogFormat", _line(log, is_tls=True), _TLS_FORM, why=why, cause=decisions.LOG_LINE)
        )
    return made


def access_log(place: Place, *, is_tls: bool) -> list[Directive]:
    """In a virtual host: the file of the lines."""
    why = "one line for each request; health checks would drown the others"
    form = _TLS_FORM if is_tls else _FORM
    return [
        directive(
            "CustomLog", Paths.of(place).access_log, form, f"env=!{UNLOGGED}", why=why, cause=decisions.LOG_LINE
        )
    ]  # fmt: skip


def log_settings(log: Log) -> list[Directive]:
    """In a virtual host: variables of the line that are empty where httpd would write `-`."""
    why, cause = "for the log line; empty without one", decisions.LOG_LINE
    made = [
        setting(
            f"{_SENT}([^ ]+)#i", f"{URI}=$1", "path and query as they were sent, for the log line", cause
        ),
        setting(f"{_SENT}(/[^ ?]*)#i", f"{PATH}=$1", "the path as it was sent, for redirects", cause),
        directive("SetEnvIf", "User-Agent", "^(.*)$", f"{AGENT}=$1", why=why, cause=cause),
        directive("SetEnvIf", "Referer", "^(.*)$", f"{REFERER}=$1", why=why, cause=cause),
        empty(GUARD, "no guard has refused", cause),
        empty(UPSTREAM, "nobody was asked", cause),
    ]
    if "rule" in log.fields:
        made.append(empty(RULE, "no [[route]] has taken the request", cause))
    if "traceparent" in log.fields:
        made.append(
            directive("SetEnvIf", "traceparent", "^(.*)$", "PORTICO_TRACEPARENT=$1", why=why, cause=cause)
        )
    if "fetch_site" in log.of_pages:
        why = "which page caused the request: a page may send its visitors' browsers to paths of scanners"
        known = "^(none|same-origin|same-site|cross-site)$"
        made += [
            empty(_FETCHED, why, cause),
            directive("SetEnvIf", "Sec-Fetch-Site", known, f"{_FETCHED}=$1", why=why, cause=cause),
        ]
    if "forwarded" in log.fields:
        marks = (
            ("X-Forwarded-For", "proxy"), ("X-Real-IP", "proxy"), ("X-Amzn-Trace-Id", "aws"), ("CF-Ray", "cloudflare"),
        )  # fmt: skip
        why = "which proxy's headers the request carries, for the hint that `behind` does not name it"
        made.append(empty("PORTICO_FORWARDED", why, cause))
        made += [
            directive("SetEnvIf", name, ".", f"PORTICO_FORWARDED={word}", why=why, cause=cause)
            for name, word in marks
        ]
    return made


def error_log(place: Place, *, is_waiting: bool = False, inspects: bool = False) -> list[Directive]:
    """httpd's complaints."""
    level = "crit" if is_waiting else "warn"
    own = ["security2:crit"] if inspects else []  # what the firewall finds has a log of its own
    return [
        directive("ErrorLog", Paths.of(place).error_log, why="httpd's complaints, private"),
        directive(
            "ErrorLogFormat",
            _COMPLAINT,
            why="as without this line, with the id of the request, so that a "
            "complaint stands under it; without Referer, which a client writes",
            cause=decisions.LOG_LINE,
        ),
        directive("LogLevel", level, *own, why="warnings and errors, no notices"),
    ]


def _line(log: Log, *, is_tls: bool) -> str:
    return "{" + ",".join(_field(name, is_tls=is_tls) for name in log.of_pages) + "}"


def _field(name: str, *, is_tls: bool) -> str:
    word = "" if name in _UNKNOWN or (name in ("tls", "cipher") and not is_tls) else _WORDS[name]
    return f'"{name}":{word}' if name in NUMBERS else f'"{name}":"{word}"'
