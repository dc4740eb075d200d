"""Copies of requests: the client's request makes a subrequest to a server of nginx's own, which answers at once and
sends the copy on. So no client waits for the other server: nginx keeps a connection until the answers to its copies
have come.
"""

from __future__ import annotations

from portico.plan.gateway.nginx.app.link import told_to_app
from portico.plan.gateway.nginx.app.upstream import upstream_name
from portico.plan.gateway.nginx.names import header_word, name_of, variable
from portico.plan.gateway.nginx.routing.elsewhere import one_upstream, seen
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.web.model import Web
from portico.plan.web.routing.mirror import METHODS, MOST
from portico.plan.web.routing.model import Mirror
from portico.proxy_headers import MIRRORED
from portico.site.routing import ToSite

_COPY = "/-/copy"
_HANDSHAKE = ("Upgrade", "Connection")
_PATIENCE_SECONDS = 30


def mirror_maps(web: Web) -> list[Directive]:
    """At `http` level: which requests are copied, the other server, and nginx's own one in front of it."""
    if web.mirror is None:
        return []
    cause, share = web.mirror.cause, variable(web, "in_share")
    drawn = entries(
        "split_clients", "$request_id", share, table=[(f"{web.mirror.share:g}%", "1"), ("*", "")],
        why="the share of requests that are copied; each is drawn anew", cause=cause,
    )  # fmt: skip
    is_whole = web.mirror.share == 100
    return [
        *([] if is_whole else [drawn]),
        entries(
            "map", f"$request_method:$http_{header_word(MIRRORED)}", variable(web, "copied"),
            table=[("default", ""), *((f"{method}:", "1" if is_whole else share) for method in METHODS)],
            why="only requests that change nothing are copied, and no copies: they would go in a circle", cause=cause,
        ),
        directive(
            "limit_conn_zone", "copies", f"zone={name_of(web, 'copies')}:64k",
            why="counts the copies that are on their way", cause=cause,
        ),
        one_upstream(seen(web, web.mirror.route), web.mirror.route),
        _server(web, web.mirror),
    ]  # fmt: skip


def mirrored(web: Web) -> list[Directive]:
    """In a location that passes requests to the app, after its guards."""
    if web.mirror is None:
        return []
    cause = web.mirror.cause
    return [
        directive("mirror", _COPY, why="a copy of the request goes to another server, too", cause=cause),
        directive(
            "mirror_request_body", "off", why="a copied request has no body: nothing is read for it", cause=cause,
        ),
    ]  # fmt: skip


def mirror_location(web: Web) -> list[Directive]:
    """In the site's server: the subrequest, with what the app is told about the client."""
    if web.mirror is None:
        return []
    cause, there = web.mirror.cause, seen(web, web.mirror.route)
    is_site = isinstance(web.mirror.route.rule.target, ToSite)
    told = [
        one
        for one in told_to_app(there)
        if one.name == "proxy_set_header" and one.args[0] not in (*_HANDSHAKE, MIRRORED)
        if not (is_site and one.args[0] == "X-Request-ID")
    ]
    told += [
        directive("proxy_set_header", name, "", why="a copy begins no WebSocket", cause=cause)
        for name in _HANDSHAKE
    ]
    return [
        block(
            "location", "=", _COPY, why="where the copy of a request goes", cause=cause,
            of=[
                directive("internal", why="only the mirror leads here"),
                directive("access_log", "off", why="the request itself is logged"),
                block(
                    "if", "(", variable(web, "copied"), "=", "", ")", why="this request is not copied", cause=cause,
                    of=[directive("return", 204, why="nothing is sent")],
                ),
                *told,
                directive("proxy_set_header", MIRRORED, "1", why="the other server can tell a copy", cause=cause),
                directive("proxy_set_header", "Content-Length", "", why="a copy has no body", cause=cause),
                directive("proxy_pass_request_body", "off", why="a copy has no body", cause=cause),
                directive("proxy_connect_timeout", "1s", why="nginx itself answers there", cause=cause),
                directive("proxy_read_timeout", "1s", why="nginx itself answers there", cause=cause),
                directive("proxy_next_upstream", "off", why="a copy is sent once", cause=cause),
                directive(
                    "proxy_pass", f"http://unix:{web.mirror.socket}:$request_uri", cause=cause,
                    why="nginx's own server, which answers at once; the path arrives as the client sent it",
                ),
            ],
        )
    ]  # fmt: skip


def _server(web: Web, mirror: Mirror) -> Directive:
    cause, there = mirror.cause, seen(web, mirror.route)
    secure = [one for one in told_to_app(there) if one.name.startswith("proxy_ssl")]
    return block(
        "server", why="answers copies at once, and sends them on: no client waits for the other server", cause=cause,
        of=[
            directive("listen", f"unix:{mirror.socket}", why="nobody but this nginx reaches the socket", cause=cause),
            directive("access_log", "off", why="the request itself is logged"),
            directive(
                "limit_conn", name_of(web, "copies"), MOST, cause=cause,
                why="a slow server takes no connections that clients need: further copies are not sent",
            ),
            block(
                "location", "/", why="the answer that nobody reads", cause=cause,
                of=[
                    directive("mirror", _COPY, why="the copy goes on", cause=cause),
                    directive("mirror_request_body", "off", why="a copy has no body", cause=cause),
                    directive("error_log", "/dev/null", "crit", why="its failures are not the site's", cause=cause),
                    directive("empty_gif", why="the smallest answer that comes after the mirror", cause=cause),
                ],
            ),
            block(
                "location", "=", _COPY, why="the other server", cause=cause,
                of=[
                    directive("internal", why="only the mirror leads here"),
                    directive("error_log", "/dev/null", "crit", why="its failures are not the site's", cause=cause),
                    directive(
                        "proxy_ignore_client_abort", "on", cause=cause,
                        why="the first server has gone: the copy goes on",
                    ),
                    directive("proxy_http_version", "1.1", why="as requests reach the app", cause=cause),
                    directive("proxy_set_header", "Host", "$http_host", why="the client's", cause=cause),
                    directive("proxy_set_header", "Connection", "", why="not the first server's", cause=cause),
                    directive("proxy_pass_request_body", "off", why="a copy has no body", cause=cause),
                    directive("proxy_connect_timeout", "5s", why="a server that is gone", cause=cause),
                    directive("proxy_read_timeout", f"{_PATIENCE_SECONDS}s", why="a server that hangs", cause=cause),
                    directive("proxy_next_upstream", "off", why="a copy is sent once", cause=cause),
                    *secure,
                    directive(
                        "proxy_pass", f"{there.upstream.protocol}://{upstream_name(there)}$request_uri", cause=cause,
                        why="the path arrives as the client sent it",
                    ),
                ],
            ),
        ],
    )  # fmt: skip
