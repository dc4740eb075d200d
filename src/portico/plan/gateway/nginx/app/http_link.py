"""The headers for servers elsewhere, and for an ASGI app that shares the requests with them: HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.plan import decisions
from portico.plan.gateway.nginx.app import users
from portico.plan.gateway.nginx.app.tracing import SPEC, context
from portico.plan.gateway.nginx.app.upstream import upstream_name
from portico.plan.gateway.nginx.entry.host_header import prefix_seen
from portico.plan.gateway.nginx.entry.trust import WHO_SENT, of_proxy, scheme, sender
from portico.plan.gateway.nginx.syntax import Directive, directive
from portico.plan.web.model import Web

_MOST_HEADERS = 2048
_ASGI = "https://asgi.readthedocs.io/en/latest/specs/www.html"

_WHY = "the app, by HTTP over the private socket; without a path the client's own reaches it byte for byte"
_WHY_REMOTE = "the servers, by HTTP; without a path the client's own reaches them byte for byte"


def pass_to_app(web: Web, path: str) -> Directive:
    """Passes a location's requests to the app server, unchanged or with another path."""
    return directive(
        "proxy_pass", f"{web.upstream.protocol}://{upstream_name(web)}{web.prefix + path if path else ''}",
        why=_WHY if web.upstream.has_app else _WHY_REMOTE, cause=decisions.LINK,
    )  # fmt: skip


def secured(web: Web) -> list[Directive]:
    """TLS verification of servers that use https."""
    if web.upstream.protocol != "https":
        return []
    cause = web.upstream.proof.ca_cause
    return [
        directive(
            "proxy_ssl_verify", "on", why="a server that cannot prove its name gets nothing to read", cause=cause,
        ),
        directive("proxy_ssl_trusted_certificate", web.upstream.proof.ca, why="who may sign for them", cause=cause),
        directive("proxy_ssl_verify_depth", 3, why="room for certificates between theirs and the root", cause=cause),
        directive(
            "proxy_ssl_name", web.upstream.proof.name, why="the name their certificates must have",
            cause=web.upstream.proof.name_cause,
        ),
        directive("proxy_ssl_server_name", "on", why="says that name in the handshake", cause=decisions.LINK),
    ]  # fmt: skip


def told(web: Web, host: str, path: str) -> list[Directive]:
    """The headers about client and site; Portico's worker copies them into the ASGI scope."""
    of_request = (
        [_header("Content-Length", "", "Portico's own question has no body")] if path else _of_client(web)
    )
    return [
        directive("proxy_http_version", "1.1", why="WebSockets and streams need it"),
        _header("Host", host, "the host of redirects and links", web.hosts.cause),
        _header(
            "X-Request-ID", "$request_id", "the id of the log line, so that the app can log it too", decisions.LOG_LINE,
        ),
        *_forwarded(web, host, web.prefix if path else prefix_seen(web)),
        *of_request,
    ]  # fmt: skip


def _of_client(web: Web) -> list[Directive]:
    """The headers that depend on the client's own."""
    said = users.said(web)
    return [
        _header("Upgrade", "$portico_upgrade", "a WebSocket handshake is passed on, and no other"),
        _header(
            "Connection", "$portico_connection",
            "one connection a request: nothing idle that a reload could close under a POST",
        ),
        *(
            directive("proxy_set_header", name, value, why=why, cause=cause, source=SPEC)
            for name, value, why, cause in context(web)
        ),
        *_without(web, said),
        *(_header(*told) for told in said),
        *(one for one in _of_proxy(web) if one.args[0] not in {name for name, *_ in said}),
    ]  # fmt: skip


def _without(web: Web, said: Sequence[tuple[str, str, str, str]]) -> Iterator[Directive]:
    """Removes a client's headers, except those that nginx sets itself."""
    names = {name for name, *_ in said}
    for name in web.trust.removed:
        if name not in names:
            yield _header(name, "", f"a client's {name} header never reaches the app")


def last() -> list[Directive]:
    """The header that follows all others, including those of the user's own directives."""
    return [
        _header(
            "X-Portico-Msec",
            "$msec",
            "when nginx passed the request on: tells the time in the queue",
            decisions.LOG_LINE,
        )
    ]


def tables() -> list[Directive]:
    """The size of nginx's hash tables for the names above."""
    why = "room for the names of headers that are replaced or left out, without a warning"
    return [
        directive("proxy_headers_hash_max_size", _MOST_HEADERS, why=why, cause=decisions.LINK),
        directive("proxy_headers_hash_bucket_size", 128, why=why, cause=decisions.LINK),
    ]


def _of_proxy(web: Web) -> list[Directive]:
    """The headers of a declared proxy about the client, or what Portico's worker needs to judge them."""
    cause = web.trust.cause
    if web.trust.is_fenced:
        why = "the worker removes headers that only a declared proxy may set; this says who sent the request"
        return [_header(WHO_SENT, sender(web) if web.trust.proxies else "", why, cause)]
    why = "a worker of Portico elsewhere would believe it: no client says who a proxy is"
    return [
        _header(WHO_SENT, "", why),
        *(
            _header(name, value, f"{name} reaches the app from a declared proxy only", cause)
            for name, value in of_proxy(web)
        ),
    ]


def _forwarded(web: Web, host: str, prefix: str) -> list[Directive]:
    values = {
        "X-Forwarded-For": "$remote_addr",
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-Proto": scheme(web),
        "X-Forwarded-Host": host,
        "X-Forwarded-Prefix": prefix,
    }
    why = "replaces what the client sent; the worker makes the scope of it"
    return [_header(name, value, why) for name, value in values.items()]


def _header(name: str, value: str, why: str, cause: str = decisions.LINK) -> Directive:
    return directive("proxy_set_header", name, value, why=why, cause=cause, source=_ASGI)
