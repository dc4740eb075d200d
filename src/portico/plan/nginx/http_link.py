"""What nginx tells an ASGI app: HTTP over the same private socket, since Gunicorn's asgi worker speaks no uwsgi."""

from __future__ import annotations

from portico.plan.nginx.conf import Directive, directive
from portico.plan.nginx.trust import blanked
from portico.plan.nginx.upstream import UPSTREAM
from portico.site.model import Site

_OWN = ("Cookie", "Authorization", "Content-Length", "Content-Type")
_ASGI = "https://asgi.readthedocs.io/en/latest/specs/www.html"


def pass_to_app(site: Site, path: str) -> Directive:
    """Hands a location's requests to the app server, as they came or with another path."""
    return directive(
        "proxy_pass", f"http://{UPSTREAM}{site.prefix + path if path else ''}",
        why="the app, by HTTP over the private socket; without a path the client's own reaches it byte for byte",
        cause="D1",
    )  # fmt: skip


def told(site: Site, host: str, path: str) -> list[Directive]:
    """The headers that say who and where; Portico's worker puts them into the ASGI scope."""
    return [
        directive("proxy_http_version", "1.1", why="WebSockets and streams need it"),
        _header("Host", host, "the host of redirects and links", site.cause("domains")),
        _header("X-Request-ID", "$request_id", "the id of the log line, so that the app can log it too", "D4"),
        _header("X-Portico-Msec", "$msec", "when nginx passed the request on: tells the time in the queue", "D4"),
        *_forwarded(site, host),
        _header("Upgrade", "$http_upgrade", "a WebSocket handshake is passed on"),
        _header(
            "Connection", "$portico_connection",
            "one connection a request: nothing idle that a reload could close under a POST",
        ),
        *(_header(name, "", "Portico's own question carries nothing of the client's") for name in _OWN if path),
        *(_header(name, "", f"a client's {name} header never reaches the app") for name in blanked(site)),
    ]  # fmt: skip


def _forwarded(site: Site, host: str) -> list[Directive]:
    values = {
        "X-Forwarded-For": "$remote_addr",
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-Proto": "$portico_scheme",
        "X-Forwarded-Host": host,
        "X-Forwarded-Prefix": site.prefix,
    }
    why = "replaces what the client sent; the worker makes the scope of it"
    return [_header(name, value, why) for name, value in values.items()]


def _header(name: str, value: str, why: str, cause: str = "D1") -> Directive:
    return directive("proxy_set_header", name, value, why=why, cause=cause, source=_ASGI)
