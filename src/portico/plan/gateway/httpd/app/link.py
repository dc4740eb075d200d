"""What the app is told with each request, and how the request reaches it.

mod_proxy_uwsgi makes the environ itself: the CGI variables, every header as `HTTP_NAME`, and the variables of the
request. Headers with an underscore in their name never become variables. So Portico replaces headers before that, and
sets variables for what CGI has no right value of: the scheme behind a proxy, the prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from portico.app_servers.kind import Feature
from portico.plan import decisions
from portico.plan.gateway.httpd.app.times import times
from portico.plan.gateway.httpd.entry.host_header import HOST
from portico.plan.gateway.httpd.entry.trust import setting
from portico.plan.gateway.httpd.names import (
    BEHIND,
    DOLLAR,
    ID,
    MSEC,
    PEER,
    PREFIX,
    RULE,
    SCHEME,
    SENDER,
    SILENCE,
    TO,
    WORKER,
    balancer,
    balancer_name,
)
from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.web.app.link import RouteFact
from portico.plan.web.model import Web
from portico.plan.web.routing.model import Route
from portico.proxy_headers import FAMILIES, named
from portico.values import Address

_FORWARDED = "https://werkzeug.palletsprojects.com/en/stable/middleware/proxy_fix/"
_TRACE = "https://www.w3.org/TR/trace-context/"
_READ_BY_SERVERS = (
    *("Script-Name", "Path-Info", "Request-Uri", "Remote-User", "Remote-Addr", "Transfer-Encoding"),
    *("Content-Length", "Content-Type", "X-Portico-Proxy", "X-Portico-Began", "X-Portico-Msec"),
    "X-Portico-Peer",
)
"""Names that an app server may read; Gunicorn takes a header `SCRIPT_NAME` for the prefix."""
_REPLACED = (
    *("X-Request-ID", "X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Host"),
    "X-Forwarded-Prefix",
)
_FALSE = "PORTICO_FALSE_NAME"
"""1 for a request with such a header."""
WHO_SENT = "X-Portico-Proxy"
_HOP = "https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1"
_NAMED = r"(?i)(?:^|,)[ \t]*+(?!(?:close|keep-alive|upgrade)[ \t]*+(?:,|$))[^,]+"
"""What a client names in Connection beside the words that httpd itself needs. It never matches nothing: httpd would
search for ever.
"""


def is_http(web: Web) -> bool:
    """Whether the link is HTTP, as for ASGI apps."""
    return web.upstream.protocol in ("http", "https")


def chooses(web: Web) -> bool:
    """Whether rules name the balancer of requests whose path is handed over resolved, by uwsgi or FastCGI: the target
    of a rewrite cannot have such a path, because a `?` in it would begin the query.
    """
    has_times = not is_http(web) and len(times(web)) > 1
    return has_times or any(not is_http_route(one) for one in web.routing.passed)


def is_http_route(one: Route) -> bool:
    """Whether the target of a rule speaks HTTP."""
    return one.passage is not None and one.passage.upstream.protocol in ("http", "https")


def first_settings(web: Web) -> list[Directive]:
    """In a virtual host, before every other variable: Portico's worker checks every header that comes after."""
    why = "when the request came: the worker tells the time until it began"
    made = [
        directive("RequestHeader", "set", "X-Portico-Msec", "%t %D", "early", why=why, cause=decisions.LOG_LINE),
        directive(
            "SetEnvIf", "X-Portico-Msec", "^t=([0-9]+)([0-9]{3})[0-9]{3} ", f"{MSEC}=$1.$2",
            why="in seconds, to the millisecond", cause=decisions.LOG_LINE,
        ),
        request_id(),
    ]  # fmt: skip
    silence = f"{SILENCE}={microseconds(web.link.silence_seconds)}"
    made.append(setting("true", silence, "tells a time-out from another failure", web.link.silence_cause))
    if not is_http(web):
        why = "httpd counts the bytes of an upload without a length before it passes it on"
        made.append(setting("true", "proxy-sendcl=1", why, decisions.LINK))
    if chooses(web) and not is_http(web):
        made.append(setting("true", f"{TO}={balancer_name()}", "the app, unless a rule below says another"))
    return made


def client_connection(web: Web, addresses: Sequence[Address]) -> list[Directive]:
    """In a virtual host: both ends of the client's connection, for Portico's own workers. The port is that of the
    plan: SERVER_PORT would be the one of the Host header.
    """
    ports = {one.port for one in addresses}
    if not web.app_server.worker or len(ports) != 1:
        return []
    why = "httpd does not hang up on the worker when a client leaves: the worker asks the kernel instead"
    ends = f"%{{CONN_REMOTE_ADDR}} %{{REMOTE_PORT}} %{{reqenv:{PEER}}} {ports.pop()}"
    return [
        directive("SetEnvIf", "Server_Addr", "^(.+)$", f"{PEER}=$1", why=why, cause=decisions.QUEUE),
        setting(f'"{ends}" =~ /^(.+)$/', f"{PEER}=$1", why, decisions.QUEUE),
    ]


def request_id() -> Directive:
    """Makes the id of the request."""
    return setting("md5(reqenv('UNIQUE_ID')) =~ /^(.+)$/", f"{ID}=$1", "the id of the request: 32 digits")


def microseconds(seconds: float) -> int:
    """As httpd counts the time of a request."""
    return round(seconds * 1_000_000)


def told_to_app(web: Web) -> list[Directive]:
    """In a virtual host: the headers that are replaced, and those that never reach the app."""
    replaced = {
        "X-Request-ID": (f"%{{{ID}}}e", "the id of the log line, so that the app can log it too"),
        "X-Forwarded-For": ("expr=%{REMOTE_ADDR}", ""),
        "X-Real-IP": ("expr=%{REMOTE_ADDR}", ""),
        "X-Forwarded-Proto": (f"%{{{SCHEME}}}e", ""),
        "X-Forwarded-Host": (f"%{{{HOST}}}e", ""),
    }
    why = "replaces what the client sent, so that an app with its own ProxyFix sees the same answer"
    made = [_set(name, value, words or why) for name, (value, words) in replaced.items()]
    made.append(
        directive("RequestHeader", "set", "Host", f"%{{{HOST}}}e", f"expr=-n reqenv('{HOST}')", cause=decisions.LINK,
                  why="the host of redirects and links; for a client that names none the app server names its own")
    )  # fmt: skip
    if not is_http(web):
        why = "no WebSocket passes this link: the app answers the request as one without, which it may refuse"
        here = [f"expr=-z reqenv('{RULE}')"] if web.routing.passed else []
        made.append(directive("RequestHeader", "unset", "Upgrade", *here, why=why, cause=decisions.LINK))
    made += _prefix(web, why)
    made += [_unset(name, f"a client's {name} header never reaches the app") for name in web.trust.removed]
    made += other_spellings(web)
    return [*made, *_of_proxy(web), *_trace(web), *_last(web)]


def other_spellings(web: Web) -> list[Directive]:
    """Takes away headers that only an underscore tells from those that matter. A request pays for each of these lines,
    hundreds for a server elsewhere (docs/apache.md).
    """
    if not is_http(web):
        return []  # httpd drops such headers itself
    why = "empty, which no rule can see: an underscore is a hyphen to WSGI"
    return [_unset(name, why) for name in _spellings(web)]


def _spellings(web: Web) -> list[str]:
    """Names with an underscore for one or more of their hyphens: where one of several such headers is empty,
    `refuse_false_names` does not see the others. Portico's worker removes families of names itself.
    """
    written = {name.lower() for name in (*_REPLACED, *_READ_BY_SERVERS)}
    names = [name for name in _false_names(web) if name in written or not web.trust.is_fenced]
    return [
        "".join(word + mark for word, mark in zip(words, (*marks, ""), strict=True))
        for words in (name.split("-") for name in names)
        for marks in product("_-", repeat=len(words) - 1)
        if "_" in marks
    ]


def _false_names(web: Web) -> list[str]:
    own = set(map(str.lower, web.site.options.client_headers))
    known = (*_REPLACED, *_READ_BY_SERVERS, *named([one.kind for one in FAMILIES]), *web.trust.removed)
    return sorted({name.lower() for name in known if "-" in name} - own)


def refuse_false_names(web: Web) -> list[Directive]:
    """In a virtual host, before every other rule: a header that only an underscore tells from one that Portico writes
    or removes. For uwsgi httpd drops such headers itself; an HTTP server gets them, and they are one name to WSGI.
    """
    if not (is_http(web) or web.routing.passed):
        return []
    names = _false_names(web)
    pattern = f"^(?=[^_]*_)(?:{'|'.join(name.replace('-', '[-_]') for name in names)})$"
    why = "X_Forwarded_For and X-Forwarded-For are one name to WSGI: nobody but an attacker sends the other spelling"
    return [
        directive("SetEnvIfNoCase", pattern, ".", f"{_FALSE}=1", why=why, cause=decisions.LINK),
        directive("RewriteCond", f"%{{ENV:{_FALSE}}}", "=1", why=why, cause=decisions.LINK),
        directive("RewriteRule", "^", "-", "[R=400,L]", why=why, cause=decisions.LINK),
    ]


def _prefix(web: Web, why: str) -> list[Directive]:
    if web.prefix or web.host.prefix_from_proxy:
        return [_set("X-Forwarded-Prefix", f"%{{{PREFIX}}}e", why)]
    return [_unset("X-Forwarded-Prefix", why)]


def _of_proxy(web: Web) -> list[Directive]:
    """The headers of a declared proxy about the client, or what Portico's worker needs to judge them."""
    cause = web.trust.cause
    if web.trust.is_fenced:
        if not is_http(web):
            return []  # the variable that `trust` sets
        value = f"%{{{SENDER}}}e" if web.trust.proxies else "0"
        why = "the worker removes headers that only a declared proxy may set; this says who sent the request"
        return [_set(WHO_SENT, value, why, cause)]
    made = []
    for name in web.trust.from_proxy:
        shared = name in web.trust.from_shared
        condition = f"reqenv('{SENDER}') == '0'" if shared else f"reqenv('{SENDER}') != '1'"
        why = f"{name} reaches the app from a declared proxy only"
        made.append(
            directive(
                "RequestHeader", "unset", name, f"expr={condition}", why=why, cause=cause, source=_FORWARDED
            )
        )
    return made


def _trace(web: Web) -> list[Directive]:
    tracing = web.tracing
    # The worker judges by a variable that says whether a declared proxy sent the request.
    if not tracing or (tracing.by_worker and (tracing.from_proxy or not web.trust.proxies)):
        return []
    why = "the trace of a declared proxy continues; an untrusted client's is not passed on"
    condition = [f"expr=reqenv('{BEHIND}') != '1'"] if tracing.from_proxy else []
    return [
        directive("RequestHeader", "unset", name, *condition, why=why, cause=tracing.cause, source=_TRACE)
        for name in ("traceparent", "tracestate")
    ]  # fmt: skip


def _last(web: Web) -> list[Directive]:
    """Without X-Portico-Msec: it would stand behind the client's headers, and the worker checks those after it."""
    made = [_unset("X-Portico-Msec", "the worker has it under another name")]
    if is_http(web):
        why = "a client names no header that httpd then takes away, such as X-Forwarded-For"
        made.append(
            directive(
                "RequestHeader", "edit*", "Connection", _NAMED, "", why=why, cause=decisions.LINK, source=_HOP
            )
        )
        why = "when the request came: tells the time in the queue"
        made.append(_set("X-Portico-Began", f"%{{{MSEC}}}e", why, decisions.LOG_LINE))
        made.append(_peer(web))
    return made


def _peer(web: Web) -> Directive:
    if not web.app_server.worker:
        return _unset("X-Portico-Peer", "a worker of Portico elsewhere would believe it")
    why = "the client's connection: the worker does not call the app for a client that left"
    return _set("X-Portico-Peer", f"%{{{PEER}}}e", why, decisions.QUEUE)


def pass_to_app(web: Web) -> list[Directive]:
    """In a virtual host, after every rule: what no rule has answered is the app's."""
    has_app = not web.is_waiting and not web.upstream.is_nobody
    if not has_app and not web.routing.passed:
        return []
    words = ["nocanon"] if is_http(web) else []
    why = "the app, by the uwsgi protocol: httpd builds the WSGI environ, and the worker has the path as it was sent"
    if words:
        why = "the app, by HTTP; without canonicalisation the client's path reaches it byte for byte"
    to_app = directive("ProxyPassMatch", "^(/.*)$", f"{balancer()}$1", *words, why=why, cause=decisions.LINK)
    return [
        *(_to_chosen() if chooses(web) else [to_app] if has_app else []),
        directive("ProxyPreserveHost", "On", why="the app sees the host that the client asked for"),
        directive("ProxyAddHeaders", "Off", why="Portico says itself who the client is"),
        directive("ProxyErrorOverride", "Off", why="the app's own error answers pass untouched"),
    ]


def _to_chosen() -> list[Directive]:
    why = "what the rules above have chosen, by uwsgi or FastCGI; with nothing chosen it is 400"
    of, source = (
        f"balancer://${{{DOLLAR}}}{{{TO}}}$1",
        "https://httpd.apache.org/docs/2.4/mod/mod_proxy.html#proxypassinterpolateenv",
    )
    return [
        directive("ProxyPassInterpolateEnv", "On", why=why, cause=decisions.LINK),
        directive(
            "ProxyPassMatch", "^(/.*)$", of, "interpolate", why=why, cause=decisions.LINK, source=source
        ),
    ]


def dollar() -> Directive:
    """In the server configuration: a `$` that httpd leaves alone while it reads its files."""
    why = "httpd replaces a dollar and a name in braces when it reads this; the name is one of each request"
    return directive("Define", DOLLAR, "$", why=why)


def answered(web: Web) -> list[Directive]:
    """In a virtual host: the worker's numbers, and headers of the app that clients do not get."""
    hidden, cause = "clients need not know it, or Portico sends its own", web.headers.removed_cause
    return [
        directive("Header", "note", "X-Portico", WORKER, why="the worker's numbers, for the log line"),
        directive("Header", "unset", "X-Portico", why="and for nobody else", cause=decisions.LOG_LINE),
        directive("Header", "unset", "Server", why="the app's is nobody's business; httpd sends its own", cause=cause),
        *(directive("Header", "unset", name, why=hidden, cause=cause) for name in web.headers.removed),
        *(
            directive("Header", "unset", name, why="means nothing here", cause=decisions.DOWNLOADS)
            for name in ("X-Accel-Redirect", "X-Sendfile")
        ),
    ]  # fmt: skip


def _set(name: str, value: str, why: str, cause: str = decisions.LINK) -> Directive:
    return directive("RequestHeader", "set", name, value, why=why, cause=cause)


def _unset(name: str, why: str) -> Directive:
    return directive("RequestHeader", "unset", name, why=why, cause=decisions.LINK, source=_FORWARDED)


def limits_of_link(web: Web) -> list[str]:
    """Notes: what this link cannot carry."""
    made = []
    if not web.upstream.is_nobody:
        made.append("httpd answers 411 to an upload without a length (chunked): it cannot limit its size")
    if not is_http(web) and web.app_server.name and Feature.WEBSOCKETS in web.features:
        made.append("WebSockets do not reach a WSGI app: mod_proxy_uwsgi carries none; those of ASGI apps do")
    if web.site.options.downloads.roots:
        made.append(
            "files below downloads.roots are sent by the worker: a slow client holds its thread meanwhile"
        )
    if RouteFact.UPLOAD in web.link.of_routes:
        made.append("upload_to_file: the worker writes the file itself, httpd has none")
    return made
