"""Passes requests to the app: by the uwsgi protocol, or by HTTP beside servers that speak it."""

from __future__ import annotations

from portico.app_servers.kind import Feature
from portico.plan import decisions
from portico.plan.gateway.nginx.app import http_link, uwsgi_link
from portico.plan.gateway.nginx.app.server_timing import hidden_timing
from portico.plan.gateway.nginx.entry.host_header import host_seen
from portico.plan.gateway.nginx.syntax import Directive, directive, time
from portico.plan.web.model import Web


def pass_to_app(web: Web, *, path: str = "") -> Directive:
    """Passes a location's requests to the app, or shows the page for an app that is not known yet.

    The parameters of the app are inherited from the server block.

    `path` replaces the client's, for a location that asks a question of its own.
    """
    if web.is_waiting:
        return directive("return", 502, why="the app is not known yet: nginx shows a page that says so")
    return http_link.pass_to_app(web, path) if _is_http(web) else uwsgi_link.pass_to_app(web)


def told_to_app(web: Web, *, path: str = "", host: str = "") -> list[Directive]:
    """The parameters of the app, nginx's timeouts, and the headers that clients do not get.

    `path` and `host` replace the client's, for a location that asks a question of its own.
    """
    host = host or host_seen(web)
    told = http_link.told(web, host, path) if _is_http(web) else uwsgi_link.told(web, host, path)
    told += _alone(dialect(web)) if path else []
    told += [] if path else _varied(web, {item.args[0].lower() for item in told if len(item.args) > 1})
    secured = http_link.secured(web)
    told += told_last(web) if path else []
    answered = [*_retry(web), *_obeyed(web), *_answer(web)]
    return [*told, *secured, _connect(web), *silence(web, web.link.silence_seconds), *answered]


def _alone(link: str) -> list[Directive]:
    """A request of Portico's own contains what is written here and nothing of the request that led to it."""
    why = "no part of the request comes from a client"
    return [directive(f"{link}_pass_request_{part}", "off", why=why) for part in ("headers", "body")]


def told_last(web: Web) -> list[Directive]:
    """The last parameter at server level: all later ones come from the client."""
    return http_link.last() if _is_http(web) else uwsgi_link.last(web)


def tables(web: Web) -> list[Directive]:
    """The sizes of tables that the link needs at `http` level."""
    asks_elsewhere = web.access.checks is not None and any(one.url for one in web.access.checks.values)
    goes_elsewhere = any(
        one.passage.upstream.protocol.startswith("http") for one in web.routing.passed if one.passage
    )
    is_needed = _is_http(web) or asks_elsewhere or goes_elsewhere or web.mirror is not None
    return http_link.tables() if is_needed else []


def _varied(web: Web, known: set[str]) -> list[Directive]:
    """The headers that cached answers depend on, in the form that the cache's key has."""
    made = list[Directive]()
    why = (
        "the values that are in the cache key, and no others: nginx before 1.23 takes the first of several "
        "lines for the key and passes all on"
    )
    for name in web.link.varied:
        wide, variable = name.upper().replace("-", "_"), f"$http_{name.lower().replace('-', '_')}"
        args = (name, variable) if _is_http(web) else (f"HTTP_{wide}", variable, "if_not_empty")
        if args[0].lower() not in known:
            header = "proxy_set_header" if _is_http(web) else f"{dialect(web)}_param"
            made.append(directive(header, *args, why=why, cause="vary"))
            known.add(args[0].lower())
    return made


def dialect(web: Web) -> str:
    """The prefix of nginx's directives for the link: uwsgi, fastcgi, or proxy for HTTP."""
    return "proxy" if _is_http(web) else web.upstream.protocol


def _is_http(web: Web) -> bool:
    return web.upstream.protocol in ("http", "https")


def _connect(web: Web) -> Directive:
    cause, why = "", "the socket is on this machine: it answers at once or not at all"
    if web.upstream.is_shared:
        cause = web.upstream.cause
        why = "a host that does not take a connection in this time is gone; another server is tried"
    return directive(f"{dialect(web)}_connect_timeout", time(web.link.connect_seconds), why=why, cause=cause)


def silence(web: Web, seconds: float, *, cause: str = "") -> list[Directive]:
    """The longest silence on the link, each way."""
    cause = cause or web.link.silence_cause
    return [
        directive(
            f"{dialect(web)}_read_timeout", time(seconds),
            why="the longest silence of the app, then 504; measured between two reads, so a stream that "
            "keeps talking lives on",
            cause=cause,
        ),
        directive(
            f"{dialect(web)}_send_timeout", time(seconds), why="the longest the app may leave a body unread",
            cause=cause,
        ),
    ]  # fmt: skip


def _retry(web: Web) -> list[Directive]:
    if web.upstream.is_shared:
        return _retry_elsewhere(web)
    return [
        directive(
            f"{dialect(web)}_next_upstream", "error",
            why="a request that no worker has answered is tried once more, unless it may have had an effect "
            "(POST is never sent twice); a slow one is not repeated",
        ),
        directive(f"{dialect(web)}_next_upstream_tries", web.link.retry.tries, why="one more try, no further"),
    ]  # fmt: skip


def _retry_elsewhere(web: Web) -> list[Directive]:
    link, cause, retry = dialect(web), web.upstream.cause, web.link.retry
    # nginx has 502 for HTTP only: the other protocols have no gateway behind them.
    statuses = [f"http_{status}" for status in retry.statuses if _is_http(web) or status != 502]
    return [
        directive(
            f"{link}_next_upstream", "error", *(["timeout"] if retry.after_silence else []), *statuses,
            why="a request that a server did not take, or whose gateway says that no app is there, is tried on "
            "another, unless it may have had an effect (POST is never sent twice)",
            cause=cause,
        ),
        directive(f"{link}_next_upstream_tries", retry.tries, why="one more try, no further", cause=cause),
        directive(
            f"{link}_next_upstream_timeout", time(retry.within_seconds),
            why="only early: a request that was slow on one server is not repeated on another", cause=cause,
        ),
    ]  # fmt: skip


def _obeyed(web: Web) -> list[Directive]:
    """A worker that hands files to nginx checks an app's X-Accel-Redirect; for other servers, only nginx can refuse
    it.

    Own directives with an internal location are meant to be used this way.
    """
    if Feature.DOWNLOADS in web.features or web.own.say(r"\binternal\b"):
        return []
    why = "an answer leads to no internal location: a client may have written that header through the app"
    return [
        directive(f"{dialect(web)}_ignore_headers", "X-Accel-Redirect", why=why, cause=decisions.DOWNLOADS)
    ]


def _answer(web: Web) -> list[Directive]:
    hide = f"{dialect(web)}_hide_header"
    why, cause = "clients need not know it, or nginx sends its own", web.headers.removed_cause
    return [
        *(directive(hide, name, why=why, cause=cause) for name in web.headers.removed),
        directive(hide, "X-Portico", why="the worker's numbers are for the log", cause=decisions.LOG_LINE),
        *hidden_timing(web, hide),
        directive(hide, "X-Request-ID", why="sent once, by nginx, whatever the app says", cause=decisions.LOG_LINE),
    ]  # fmt: skip
