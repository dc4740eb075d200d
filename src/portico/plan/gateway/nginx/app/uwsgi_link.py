"""The uwsgi parameters of an app, and the client's headers that are removed (decision 1).

FastCGI takes the same parameters under another directive.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec.structs import replace

from portico.plan import decisions
from portico.plan.gateway.nginx.app import users
from portico.plan.gateway.nginx.app.server_timing import timing_of_request
from portico.plan.gateway.nginx.app.tracing import SPEC, context, told_to_worker
from portico.plan.gateway.nginx.app.upstream import upstream_name
from portico.plan.gateway.nginx.entry.host_header import path_seen, prefix_seen
from portico.plan.gateway.nginx.entry.trust import WHO_SENT, https, of_proxy, scheme, sender
from portico.plan.gateway.nginx.names import variable
from portico.plan.gateway.nginx.syntax import Directive, directive
from portico.plan.web.app.link import RouteFact
from portico.plan.web.model import Web

_WSGI = "https://peps.python.org/pep-3333/#environ-variables"
_FASTCGI = "https://nginx.org/en/docs/http/ngx_http_fastcgi_module.html#fastcgi_param"
_FORWARDED = "https://werkzeug.palletsprojects.com/en/stable/middleware/proxy_fix/"

_PATH = "PATH_INFO"
_REQUEST = (
    ("QUERY_STRING", "$query_string", "the part after the question mark, as sent"),
    ("REQUEST_METHOD", "$request_method", "GET, POST, ..."),
    ("CONTENT_TYPE", "$content_type", "the body's type"),
    ("CONTENT_LENGTH", "$content_length", "the body's length; nginx knows it for chunked uploads too"),
    ("REQUEST_URI", "$request_uri", "the path exactly as the client sent it, %2F and // intact"),
    (_PATH, "$document_uri", "the decoded path; the worker takes the prefix off when there is one"),
    ("SERVER_PROTOCOL", "$server_protocol", "HTTP/1.1, HTTP/2.0"),
    ("SERVER_NAME", "$host", "the name asked for, or the server's own when the client named none"),
    ("SERVER_PORT", "$server_port", "the port that was connected to"),
    ("REMOTE_PORT", "$remote_port", "the client's port"),
)
LAST = "PORTICO_MSEC"
"""The last variable that nginx sets: Portico's worker recognizes by it where the client's headers begin."""


def pass_to_app(web: Web) -> Directive:
    """Passes a location's requests to the app server."""
    if web.upstream.protocol == "fastcgi":
        return directive(
            "fastcgi_pass", upstream_name(web), why="the servers, by FastCGI", cause=decisions.LINK
        )
    return directive(
        "uwsgi_pass", upstream_name(web),
        why="the app, by the uwsgi protocol: nginx builds the WSGI environ itself and there is no HTTP to "
        "parse a second time",
        cause=decisions.LINK,
    )  # fmt: skip


def told(web: Web, host: str, path: str) -> list[Directive]:
    """The environ, parameter by parameter. `path` replaces the client's if it is given."""
    made = [*_request(web, path, host), *_identity(web, host, web.prefix if path else prefix_seen(web))]
    if not path:
        made += [
            *_client_certificate(web), *_user(web), *_blanked(_removed(web)), *_of_proxy(web), *_route(web),
            *_trace(web),
        ]  # fmt: skip
    return _in_dialect(web, made)


def last(web: Web) -> list[Directive]:
    """The variable that follows all others, including those of the user's own directives."""
    why = "when nginx passed the request on: the worker tells the time in the queue"
    return _in_dialect(web, [_param(LAST, "$msec", why)])


def _in_dialect(web: Web, made: list[Directive]) -> list[Directive]:
    if web.upstream.protocol != "fastcgi":
        return made
    return [replace(item, name="fastcgi_param", source=_FASTCGI) for item in made]


def _of_proxy(web: Web) -> list[Directive]:
    """The headers of a declared proxy about the client, or what Portico's worker needs to judge them."""
    cause = web.trust.cause
    if web.trust.is_fenced and web.trust.proxies:
        why = "the worker removes what only a declared proxy may say of a client"
        return [_param("PORTICO_PROXY", sender(web), why, cause)]
    said = {*users.headers(web), *_of_user(web)}
    nobody = [] if web.trust.is_fenced else _blanked((WHO_SENT,))
    return [
        *nobody,
        *(
            directive(
                "uwsgi_param", _variable(name), value, "if_not_empty", cause=cause, source=_FORWARDED,
                why=f"{name} reaches the app from a declared proxy only",
            )
            for name, value in of_proxy(web)
            if name not in said
        ),
    ]  # fmt: skip


def _variable(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


def _route(web: Web) -> list[Directive]:
    """The variables that a route's location has set for the worker."""
    return [
        directive("uwsgi_param", fact, variable(web, word), "if_not_empty", why=why, cause=cause)
        for fact, word, why, cause in _OF_ROUTES
        if fact in web.link.of_routes
    ]


_OF_ROUTES = (
    (
        RouteFact.DEADLINE, "deadline",
        "the route's own time, for the worker's watch", decisions.TIMES,
    ),
    (
        RouteFact.STREAM, "stream",
        "a request that lasts gets a thread of its own, beside those of the worker", decisions.ROUTES,
    ),
    (
        RouteFact.UPLOAD, "upload_file",
        "the file with the body of this request, on routes that asked for it", decisions.ROUTES,
    ),
    (
        RouteFact.PRIVATE, "private_route",
        "a file that nginx sends for the worker leaves this location, and what it says of caches", decisions.ROUTES,
    ),
)  # fmt: skip


def _trace(web: Web) -> list[Directive]:
    """The trace of the request, or what the worker needs to make one."""
    return [
        directive(
            "uwsgi_param", name, value, "if_not_empty", why=why, cause=cause, source=SPEC,
        )
        for name, value, why, cause in told_to_worker(web) + timing_of_request(web) + [
            ("HTTP_" + header.upper(), *told) for header, *told in context(web)
        ]
    ]  # fmt: skip


def _request(web: Web, path: str, host: str) -> list[Directive]:
    if not path:
        seen = {_PATH: path_seen(web)}
        decoded = _param(
            "HTTP_TRANSFER_ENCODING",
            "",
            "nginx has decoded the body: CONTENT_LENGTH is all that is true of it",
        )
        return [*(_param(name, seen.get(name, value), why) for name, value, why in _REQUEST), decoded]
    asked, why = _asked(web, path, host), "Portico's own question, whatever the client sent"
    left = [_param(name, value, words) for name, value, words in _REQUEST if name not in asked]
    return left + [_param(name, value, why, web.health.cause) for name, value in asked.items()]


def _asked(web: Web, path: str, host: str) -> dict[str, str]:
    bare, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": query,
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "",
        "REQUEST_URI": web.prefix + path,
        "PATH_INFO": web.prefix + bare,
        "SERVER_NAME": host.rpartition(":")[0] or host,
    }


def _identity(web: Web, host: str, prefix: str) -> list[Directive]:
    behind = web.trust.cause
    made = [
        _param("REMOTE_ADDR", "$remote_addr", "the client's address: the connection's, or what a declared "
               "proxy says", behind),
        _param("REQUEST_SCHEME", scheme(web), "becomes wsgi.url_scheme", behind),
        _param("HTTPS", https(web), "`on` or nothing, for what knows no REQUEST_SCHEME: uWSGI, PHP", behind),
        _param("HTTP_HOST", host, "the host of url_for and redirects", web.hosts.cause),
        _param("SCRIPT_NAME", prefix, "the URL prefix the app lives under", web.host.prefix_cause),
        _param(
            "HTTP_X_REQUEST_ID", "$request_id", "the id of the log line, so that the app can log it too",
            decisions.LOG_LINE,
        ),
    ]  # fmt: skip
    forwarded = (
        ("HTTP_X_FORWARDED_FOR", "$remote_addr"),
        ("HTTP_X_REAL_IP", "$remote_addr"),
        ("HTTP_X_FORWARDED_PROTO", scheme(web)),
        ("HTTP_X_FORWARDED_HOST", host),
        ("HTTP_X_FORWARDED_PREFIX", prefix),
    )
    why = "replaces what the client sent, so that an app with its own ProxyFix sees the same answer"
    made += [_param(name, value, why, decisions.LINK, source=_FORWARDED) for name, value in forwarded]
    return made


def _client_certificate(web: Web) -> list[Directive]:
    """The client certificate, under Apache's names. ASGI has only headers: there it is among those about the user."""
    if not web.tls or not web.tls.clients or users.are_headers(web):
        return []
    cause = web.tls.clients.authority_cause
    known = (
        ("SSL_CLIENT_VERIFY", "$ssl_client_verify", "SUCCESS, NONE or FAILED: and why"),
        ("SSL_CLIENT_S_DN", "$ssl_client_s_dn", "whom the client's certificate names"),
        ("SSL_CLIENT_M_SERIAL", "$ssl_client_serial", "its serial number"),
    )
    source = "https://httpd.apache.org/docs/current/mod/mod_ssl.html#envvars"
    return [_param(name, value, why, cause, source) for name, value, why in known]


def _user(web: Web) -> list[Directive]:
    return [
        directive(
            "uwsgi_param", name if name == users.USER else _variable(name), value, "if_not_empty", why=why, cause=cause,
            source=_WSGI,
        )
        for name, value, why, cause in users.said(web)
    ]  # fmt: skip


def _removed(web: Web) -> tuple[str, ...]:
    """Removes a client's headers, except those that nginx sets itself."""
    said = {name for name, *_ in users.said(web)}
    return tuple(name for name in dict.fromkeys((*web.trust.removed, *_of_user(web))) if name not in said)


def _of_user(web: Web) -> tuple[str, ...]:
    """The header that nobody may set where nginx asks for passwords: over HTTP it has the verified user."""
    return (users.USER_HEADER,) if web.access.users and not users.are_headers(web) else ()


@lru_cache(8)  # the same for most sites of a gateway, as most parameters are
def _blanked(headers: tuple[str, ...]) -> tuple[Directive, ...]:
    return tuple(
        directive(
            "uwsgi_param", _variable(header), "", "if_not_empty",
            why=f"a client's {header} header never reaches the app",
            source="https://httpoxy.org/" if header == "Proxy" else _FORWARDED, cause=decisions.LINK,
        )
        for header in headers
    )  # fmt: skip


@lru_cache(1024)
def _param(name: str, value: str, why: str, cause: str = "", source: str = _WSGI) -> Directive:
    # nginx omits an empty parameter; WSGI requires SCRIPT_NAME even if it is empty.
    flags = (
        ("if_not_empty",)
        if name in ("HTTP_HOST", "HTTPS") or (not value and name.startswith("HTTP_"))
        else ()
    )
    return directive(
        "uwsgi_param", name, value, *flags, why=why, cause=cause or decisions.LINK, source=source
    )
