"""How much httpd reads from a client, and how slow it may be."""

from __future__ import annotations

from portico.plan.gateway.httpd.names import GUARD
from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.web.entry import transfer as decided
from portico.plan.web.guards import MOST_HEAD
from portico.plan.web.model import Web
from portico.plan.web.refusals import UPLOAD

_FIELDS = 1000
_PASSED = "https://httpd.apache.org/docs/2.4/mod/core.html#limitrequestbody"


def client_times() -> list[Directive]:
    """How slow a client may be, the same for every site."""
    head, pause = int(decided.HEAD_SECONDS), int(decided.BODY_PAUSE_SECONDS)
    return [
        directive(
            "RequestReadTimeout", f"handshake={head}", f"header={head}", f"body={pause},MinRate=1",
            why="a client that sends its head too slowly is closed; a body may take as long as bytes keep coming",
        ),
        directive("Timeout", int(decided.SEND_PAUSE_SECONDS), why="between two writes: a dead client ends"),
        directive("KeepAlive", "On", why="a browser's next click uses the same connection"),
        directive("KeepAliveTimeout", int(decided.IDLE_SECONDS), why="an idle connection costs no thread"),
        directive("MaxKeepAliveRequests", 0, why="a connection is not closed because it is used much"),
    ]  # fmt: skip


def heads() -> list[Directive]:
    """The sizes of a request's head."""
    size = decided.LINE_KIB << 10
    return [
        directive("LimitRequestLine", size, why=f"an address may have {decided.LINE_KIB} KiB; more is 414"),
        directive("LimitRequestFieldSize", size, why=f"a header may have {decided.LINE_KIB} KiB; more is 400, as httpd "
                  "has it"),
        directive("LimitRequestFields", _FIELDS, why=f"the link to the app carries {MOST_HEAD >> 10} KiB in all"),
    ]  # fmt: skip


def no_tunnels() -> list[Directive]:
    """The first rules of a virtual host: a method that asks a proxy for a connection, which the app would get else."""
    why = "the path of a CONNECT is no path of the site"
    return [
        directive("RewriteCond", "%{REQUEST_METHOD}", "=CONNECT", why=why),
        directive("RewriteRule", "^", "-", "[R=405,L]", why="this is no proxy for clients"),
    ]


def request_limits(web: Web) -> list[Directive]:
    """In a virtual host: how much a request of this site may have."""
    return [
        directive(
            "LimitRequestBody", int(web.transfer.largest_body), cause=web.transfer.body_cause,
            why="a larger upload is refused with 413, before it costs the app anything",
        )
    ]  # fmt: skip


def too_large(limit: Directive) -> list[Directive]:
    """Rules of a mount that passes requests on: LimitRequestBody holds there only for what httpd keeps in a file."""
    (size,), cause = limit.args, limit.cause
    if size == "0":
        return []
    why = "the largest upload, by the length that the request names; more is 413"
    unknown = "httpd counts no upload that it passes on, so one without a length has no limit"
    return [
        directive("RewriteCond", "%{HTTP:Transfer-Encoding}", "!^$", "[NV]", why=unknown, cause=cause, source=_PASSED),
        directive("RewriteRule", "^", "-", f"[R=411,L,E={GUARD}:{UPLOAD}]", why=unknown, cause=cause),
        directive("RewriteCond", "expr", f"req_novary('Content-Length') -gt {size}", why=why, cause=cause,
                  source=_PASSED),
        directive("RewriteRule", "^", "-", f"[R=413,L,E={GUARD}:{UPLOAD}]", why=why, cause=cause),
    ]  # fmt: skip
