"""Keeps a log line valid JSON: UTF-8, and numbers without leading zeros.

nginx's escape=json does not check bytes above 0x7f. So one map checks all texts that a client can choose, together:
nearly always they are ASCII, and the line uses nginx's own variables. Only for other requests there is a map for
each text: valid UTF-8 is logged unchanged, other text up to its first invalid byte, with U+FFFD in that byte's
place. https://www.rfc-editor.org/rfc/rfc8259#section-8.1 and #section-6 define what JSON allows.
"""

from __future__ import annotations

from portico.plan import decisions
from portico.plan.gateway.nginx.syntax import Directive, directive, entries
from portico.plan.web.refusals import (
    CONNECTIONS,
    GUESS,
    HEAD,
    PASSWORD,
    RATE,
    SHARE,
    STATUSES,
    UNSAID,
    UPLOAD,
)

PLAIN, DIRECT = "$portico_is_plain", "$portico_is_direct"
"""1 for an ordinary request, for a format without maps. DIRECT: it also has no header of a proxy."""
FORWARDED = "$portico_forwarded"
HEADERS = "$http_cf_ray$http_x_amzn_trace_id$http_x_forwarded_for$http_x_real_ip"
"""Empty if a request has none of them: it needs no map."""
_AWS, _OTHER = f"{FORWARDED}_aws", f"{FORWARDED}_other"
_WHY = "which proxy's headers the request carries, for the hint that `behind` does not name it; nothing else reads this"
_TEXTS = {
    "$host": "$portico_log_host",
    "$request_uri": "$portico_log_uri",
    "$http_user_agent": "$portico_log_agent",
    "$http_referer": "$portico_log_referer",
    "$http_traceparent": "$portico_log_traceparent",
    "$upstream_http_x_portico": "$portico_log_worker",
}
"""Variables with bytes that others chose, and what is logged for each."""
_STATUS = "$portico_log_status"
CHECKED = _TEXTS | {"$status": _STATUS}
"""The replacement of a variable in the line of a request that is not ordinary."""
_REFUSALS = sorted({STATUSES[guard] for guard in UNSAID})
"""The statuses of guards that do not report their refusals; an app sends them, too, now and then."""
_PLAIN = rf"~^(?!0:[23]|\d+:(?:000|{'|'.join(map(str, _REFUSALS))}):)\d+:\d+:[|][\x01-\x7f]*$"
"""The refusing guard, the bytes and status that nginx sent, the proxy headers, and all texts: none, a started
answer, none, only ASCII.
"""
GUARD, REFUSED_BY = "$portico_guard", "$portico_refused_by"
"""The guard that reports its own refusal, and the guard of the log line."""
_PROVED = "$portico_proved"
CROWDED = "$portico_crowded"
"""The key of a client in an overload; empty otherwise."""
_WRONG = "|".join(
    (
        r"[\xc0\xc1\xf5-\xff]",
        r"[\xc2-\xdf](?![\x80-\xbf])",
        r"\xe0(?![\xa0-\xbf][\x80-\xbf])",
        r"[\xe1-\xec\xee\xef](?![\x80-\xbf][\x80-\xbf])",
        r"\xed(?![\x80-\x9f][\x80-\xbf])",
        r"\xf0(?![\x90-\xbf][\x80-\xbf][\x80-\xbf])",
        r"[\xf1-\xf3](?![\x80-\xbf][\x80-\xbf][\x80-\xbf])",
        r"\xf4(?![\x80-\x8f][\x80-\xbf][\x80-\xbf])",
        r"(?<![\x80-\xbf\xc2-\xf4])[\x80-\xbf]",
        r"(?<=[\xc2-\xdf][\x80-\xbf])[\x80-\xbf]",
        r"(?<=[\xe0-\xef][\x80-\xbf][\x80-\xbf])[\x80-\xbf]",
        r"(?<=[\xf0-\xf4][\x80-\xbf][\x80-\xbf][\x80-\xbf])[\x80-\xbf]",
    )
)
"""A byte that is invalid UTF-8 at its place: the complement of table 3-7 of the Unicode standard. It has no
repetition, so a long URL needs no stack in the regular expression.
"""
_NOT_UTF8 = rf"~^(?<portico_utf8>[\x00-\xff]*?)(?:{_WRONG})"
_GONE = r"~^(?:0:[23]\d\d|\d+:000)$"


def text_maps() -> list[Directive]:
    """At `http` level: variables whose text may be invalid in JSON. Each uses only those before it.

    One check of all texts together is enough for nearly every request; six checks cost more.
    """
    return [
        *_refused_by(),
        *_ordinary(PLAIN, ""),
        *_ordinary(DIRECT, HEADERS),
        *map(_text, _TEXTS),
        _status(),
    ]


def negated(variable: str) -> str:
    """The variable that is 1 if that one is not."""
    return variable.replace("_is_", "_is_not_")


def _ordinary(variable: str, headers: str) -> list[Directive]:
    looked_at = f"{GUARD}$bytes_sent:$status:{headers}|{''.join(_TEXTS)}"
    return [
        entries(
            "map", looked_at, variable, table=[("default", ""), (_PLAIN, "1")], cause=decisions.LOG_LINE,
            why="1 where the line needs no other check, as nearly always: an answer was begun, every text is ASCII"
            + (", and no header of a proxy came" if headers else ""),
        ),
        entries(
            "map", variable, negated(variable), table=[("default", ""), ("", "1")], cause=decisions.LOG_LINE,
            why="the opposite, so that each request has one line",
        ),
    ]  # fmt: skip


def _text(source: str) -> Directive:
    return entries(
        "map", source, _TEXTS[source], cause=decisions.LOG_LINE,
        table=[("default", source), (_NOT_UTF8, "$portico_utf8\N{REPLACEMENT CHARACTER}")],
        why="a log line is UTF-8: other text is cut at its first wrong byte, where U+FFFD stands",
    )  # fmt: skip


def refusing(guard: str) -> Directive:
    """In an `if` of a guard, before it answers."""
    return directive("set", GUARD, guard, why="the log line says which guard refused the request")


def _refused_by() -> list[Directive]:
    seen = f"{GUARD}:$limit_req_status:$limit_conn_status:$status{_PROVED}:$upstream_addr|{CROWDED}"
    return [
        entries(
            "map", "$status:$http_authorization", _PROVED, table=[("default", ""), ("~^401:.", "p")],
            cause=decisions.LOG_LINE, why="p for a 401 to a client that has named a password",
        ),
        entries(
            "map", "", GUARD, table=[("default", "")], cause=decisions.LOG_LINE,
            why="no guard has refused; the `if` of one that does says its name",
        ),
        entries(
            "map", "", CROWDED, table=[("default", "")], cause=decisions.LOG_LINE,
            why="the client, of a request that counts for its share of an app that too many ask; else empty",
        ),
        entries(
            "map", seen, REFUSED_BY, cause=decisions.LOG_LINE,
            table=[
                ("default", ""),
                ("~^[a-z]", GUARD),
                ("~^:REJECTED:", RATE),
                (r"~^:[A-Z_]*:REJECTED:\d+:[^|]*[|][\x00-\xff]", SHARE),
                ("~^:[A-Z_]*:REJECTED:", CONNECTIONS),
                ("~^:[A-Z_]*:[A-Z_]*:401:[|]", PASSWORD),
                ("~^:[A-Z_]*:[A-Z_]*:401p:[|]", GUESS),
                ("~^:[A-Z_]*:[A-Z_]*:413:[|]", UPLOAD),
                ("~^:[A-Z_]*:[A-Z_]*:431:[|]", HEAD),
                ("~^:REJECTED_DRY_RUN:", f"{RATE}, dry run"),
                ("~^:[A-Z_]*:REJECTED_DRY_RUN:", f"{CONNECTIONS}, dry run"),
            ],
            why="the guard that refused the request; nginx knows of its own limits by their status, and "
            "refuses a body that is too large with 413, a head with 431, before the app is asked",
        ),
    ]  # fmt: skip


def _status() -> Directive:
    """nginx has 000 if it sent no answer, and its own status for a client that was already gone."""
    return entries(
        "map", "$bytes_sent:$status", _STATUS, table=[("default", "$status"), (_GONE, "499")], cause=decisions.LOG_LINE,
        why="499 for a client that left before a byte of its answer was sent: nginx says 200 when it reads on for its "
        "cache, and 000, which is no number in JSON, when the head was not complete",
    )  # fmt: skip


def forwarded_maps() -> list[Directive]:
    """At `http` level, evaluated when the line is written. Each uses only those before it."""
    return [
        entries(
            "map", "$http_x_forwarded_for$http_x_real_ip", _OTHER, table=[("", ""), ("default", "proxy")], why=_WHY
        ),
        entries("map", "$http_x_amzn_trace_id", _AWS, table=[("", _OTHER), ("default", "aws")], why=_WHY),
        entries("map", "$http_cf_ray", FORWARDED, table=[("", _AWS), ("default", "cloudflare")], why=_WHY),
    ]  # fmt: skip
