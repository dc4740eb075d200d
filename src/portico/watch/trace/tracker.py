"""The variable tracker: what each side calls the same thing, and where it changed on the way."""

from __future__ import annotations

from msgspec.structs import replace

from portico.protocol.trace import Answered, Tracked
from portico.watch.trace.client import Headers
from portico.watch.trace.evidence import Evidence
from portico.watch.trace.records import Response, Variables

_FORWARDED = (
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Real-IP",
    "Forwarded",
)


def request(evidence: Evidence) -> list[Tracked]:
    """Everything worth tracking on the request's way."""
    sent, record = evidence.sent, evidence.record
    passed, app = (_texts(record.passed), _texts(record.environ)) if record else ({}, {})
    headers = {name.lower(): value for name, value in evidence.mask.headers(sent.headers)}
    path, _, query = evidence.target.partition("?")
    has_body = bool(sent.size)
    made = [
        Tracked("method", sent.method, passed.get("REQUEST_METHOD"), app.get("REQUEST_METHOD")),
        Tracked("scheme", sent.scheme, passed.get("REQUEST_SCHEME"), app.get("wsgi.url_scheme")),
        Tracked("Host", headers.get("host"), passed.get("HTTP_HOST"), app.get("HTTP_HOST")),
        Tracked("client address", _own_address(evidence), passed.get("REMOTE_ADDR"), app.get("REMOTE_ADDR")),
        Tracked("path as sent", path, _bare(passed.get("REQUEST_URI")), _bare(app.get("REQUEST_URI"))),
        Tracked("SCRIPT_NAME", None, passed.get("SCRIPT_NAME"), app.get("SCRIPT_NAME")),
        Tracked("PATH_INFO", path, passed.get("PATH_INFO"), app.get("PATH_INFO")),
        Tracked("query", query or None, passed.get("QUERY_STRING") or None, app.get("QUERY_STRING") or None),
        _header("X-Request-ID", headers, passed, app),
        Tracked("body size", str(sent.size) if has_body else None, passed.get("CONTENT_LENGTH") or None,
                app.get("CONTENT_LENGTH") or None),
    ]  # fmt: skip
    made += [_header(name, headers, passed, app) for name in _FORWARDED]
    known = {
        "host",
        "x-request-id",
        "content-length",
        "x-portico-trace",
        *(name.lower() for name in _FORWARDED),
    }
    made += [_header(name, headers, passed, app) for name, _ in sent.headers if name.lower() not in known]
    if not passed and not app:
        return [one for one in made if one.client is not None]  # the app may have seen all of them
    return [_judged(one) for one in made if (one.client, one.gateway, one.app) != (None, None, None)]


def response(evidence: Evidence) -> list[Answered]:
    """The status and every header of the answer."""
    sent, record = evidence.sent, evidence.record
    answer = (record and record.response) or Response()
    said, out, got = (
        _joined(headers)
        for headers in (
            answer.headers,
            answer.sent,
            evidence.mask.headers(sent.received),
        )
    )
    names = {name.lower(): name for name in (*got, *out, *said)}
    status = None if answer.status is None else str(answer.status)
    came = f"{sent.status} {sent.reason}".strip() if sent.status else None
    made = [_answered("status", status, status, came)]
    for key in sorted(names):
        values = [
            next((v for n, v in headers.items() if n.lower() == key), None) for headers in (said, out, got)
        ]
        made.append(_answered(names[key], *values))
    return made


def _texts(variables: Variables) -> dict[str, str]:
    return {name: str(value) for name, value in variables.items()}


def _judged(one: Tracked) -> Tracked:
    is_dropped = one.client is not None and one.app is None
    values = {value for value in (one.client, one.gateway, one.app) if value is not None}
    return replace(one, is_dropped=is_dropped, changed=len(values) > 1 or is_dropped)


def _answered(name: str, app: str | None, worker: str | None, client: str | None) -> Answered:
    return Answered(name, app, worker, client, changed=len({app, worker, client}) > 1)


def _header(name: str, sent: dict[str, str], passed: dict[str, str], app: dict[str, str]) -> Tracked:
    plain = name.upper().replace("-", "_")
    key = plain if plain in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{plain}"
    return Tracked(name, sent.get(name.lower()), passed.get(key) or None, app.get(key) or None)


def _own_address(evidence: Evidence) -> str | None:
    """The address that the gateway saw, which the client may not know."""
    return evidence.line.client if evidence.line else None


def _bare(uri: str | None) -> str | None:
    return uri.partition("?")[0] if uri is not None else None


def _joined(headers: Headers | list[list[str]]) -> dict[str, str]:
    """The values of each name, however it is spelled: an ASGI app's `vary` and `Vary` are one header."""
    made: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for name, value in headers:
        name = spelled.setdefault(name.lower(), name)
        made[name] = f"{made[name]}, {value}" if name in made else value
    return made
