"""Passing requests on: paths that change on the way, connections, and what is tried again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.families import LINKS
from portico.explain.nginx.findings.config import Config, added, instead, is_prefix, removed, seconds, written
from portico.explain.nginx.locations import rule
from portico.explain.node import Node

_KEPT_SINCE = (1, 29, 7)
"""HTTP/1.1 and idle connections to servers are the default."""
_SOCKET_PATHS = re.compile(r"(?:^|/)(?:ws|wss|websockets?|socket\.io|cable|sockjs)(?:/|$|\b)", re.IGNORECASE)


def paths(config: Config) -> Iterator[Finding]:
    """A `proxy_pass` with a path of its own hands on a path that nginx has decoded."""
    for node in config.named("proxy_pass"):
        location, target = config.parent(node), config.target(node)
        if not is_prefix(location) or not target.uri or "$" in node.args[0]:
            continue
        kind, prefix = rule(location)
        if prefix == "/" and target.uri == "/":
            yield config.finding(
                "proxy-decodes",
                node,
                "the slash at the end makes nginx hand on the path as it has decoded it",
                "%2F reaches the app as a slash and // as /, and signed or odd links answer 404",
                instead(written("proxy_pass", node.args[0].rstrip("/").removesuffix(":"))),
            )
        elif not prefix.endswith("/") and target.uri.endswith("/"):
            yield config.finding(
                "proxy-slash",
                location,
                f"the location {prefix} has no slash at its end, and {target.uri}, which replaces it, has",
                f"{prefix}../x reaches the app as {target.uri}../x: anybody leaves {target.uri}",
                instead(f"location {kind + ' ' if kind else ''}{prefix}/ {{"),
            )
        elif prefix.endswith("/") and prefix != "/" and not target.uri.endswith("/"):
            yield config.finding(
                "proxy-lost-slash",
                node,
                f"{prefix} ends in a slash, and {target.uri}, which replaces it, does not",
                f"{prefix}users reaches the app as {target.uri}users and answers 404",
                instead(written("proxy_pass", f"{node.args[0]}/")),
            )


def localhost(config: Config) -> Iterator[Finding]:
    """`localhost` is two addresses."""
    lines = [*config.passes, *(one for up in config.named("upstream") for one in up.all("server"))]
    for node in lines:
        if node.args and re.search(r"(?:^|//)localhost(?::|/|$)", node.args[0]):
            yield config.finding(
                "localhost",
                node,
                "localhost is 127.0.0.1 and ::1, and most apps listen on the first alone",
                "every second request meets a refused connection first, and some answer 502",
                instead(written(node.name, node.args[0].replace("localhost", "127.0.0.1"), *node.args[1:])),
            )


def kept(config: Config) -> Iterator[Finding]:
    """Idle connections to servers are kept with HTTP/1.1 and without `Connection: close`."""
    if config.newer(*_KEPT_SINCE):
        return
    for node in config.named("proxy_pass"):
        target, location = config.target(node), config.parent(node)
        if target.upstream is None or target.is_unix:
            continue
        keeps = target.upstream.first("keepalive")
        connection = {one.args[1] for one in _headers(config, location, "connection")}
        is_11 = config.value(location, "proxy_http_version") in ("1.1", "2")
        if keeps is None:
            if connection or not config.is_open(location):
                continue
            yield config.finding(
                "upstream-no-keepalive",
                target.upstream,
                "no connection to these servers is kept",
                "each request opens a connection of its own and waits for it; ports can run out under load",
                added(target.upstream, written("keepalive", 32)),
            )
        elif not is_11 or not connection or connection & {"close", "upgrade"}:
            yield config.finding(
                "keepalive-unused",
                node,
                f"{keeps.text} is not used: requests leave as HTTP/1.0 or with Connection: close",
                "each request opens a connection of its own, as if the line were not there",
                added(
                    location,
                    written("proxy_http_version", "1.1"),
                    written("proxy_set_header", "Connection", ""),
                ),
            )


def upgrades(config: Config) -> Iterator[Finding]:
    """A WebSocket needs HTTP/1.1 and two headers, and nothing else may have them."""
    for node in config.named("proxy_pass"):
        location = config.parent(node)
        upgrade, connection = _headers(config, location, "upgrade"), _headers(config, location, "connection")
        version = config.value(location, "proxy_http_version")
        if not upgrade and location.name == "location" and _SOCKET_PATHS.search(rule(location).pattern):
            yield config.finding(
                "upgrade-missing",
                node,
                f"{location.text} looks like a WebSocket, and its Upgrade header is not passed on",
                "the handshake answers 400 or the connection ends at once",
                added(
                    location,
                    written("proxy_http_version", "1.1"),
                    written("proxy_set_header", "Upgrade", "$http_upgrade"),
                    written("proxy_set_header", "Connection", "upgrade"),
                ),
            )
        passed = [one for one in upgrade if one.args[1]]
        if passed and version != "1.1" and not config.newer(*_KEPT_SINCE) and version != "2":
            yield config.finding(
                "upgrade-http10",
                passed[0],
                "Upgrade is passed on, by HTTP/1.0, which has no upgrades",
                "no WebSocket ever opens",
                added(location, written("proxy_http_version", "1.1")),
            )
        is_special = location.name == "location" and _SOCKET_PATHS.search(rule(location).pattern)
        for one in connection:
            if one.args[1].lower() == "upgrade" and not is_special:
                yield config.finding(
                    "upgrade-always",
                    one,
                    "every request says Connection: upgrade, not only those of a WebSocket",
                    "no connection to the app is kept, and strict servers answer 400 to ordinary requests",
                    instead(
                        written("proxy_set_header", "Connection", "$connection_upgrade"),
                        "# and beside the server, in http:",
                        "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }",
                    ),
                )


def _headers(config: Config, level: Node, name: str) -> list[Node]:
    found = config.in_force(level, "proxy_set_header")
    return [one for one in found if len(one.args) > 1 and one.args[0].lower() == name]


def retries(config: Config) -> Iterator[Finding]:
    for node in config.named(*(f"{link}_next_upstream" for link in LINKS)):
        if "non_idempotent" in node.args:
            yield config.finding(
                "retry-post",
                node,
                "a POST that fails is sent to the next server as well",
                "an order is placed or a payment made twice",
                instead(written(node.name, *(word for word in node.args if word != "non_idempotent"))),
            )


def unbuffered(config: Config) -> Iterator[Finding]:
    """Answers and bodies that a slow client reads or sends from the app itself."""
    for link in LINKS:
        for node in config.named(f"{link}_buffering", f"{link}_request_buffering"):
            level = config.parent(node)
            everywhere = level.name in ("http", "server", "") or (
                level.name == "location" and rule(level) == ("", "/")
            )
            if node.args == ("off",) and everywhere:
                is_body = "request" in node.name
                yield config.finding(
                    "request-buffering-off" if is_body else "buffering-off",
                    node,
                    f"{'bodies' if is_body else 'answers'} pass the whole site unbuffered",
                    f"a client that {'sends' if is_body else 'reads'} slowly holds a worker of the app; "
                    "a few dozen of them stop it",
                    removed(f"say it in the location of {'uploads' if is_body else 'streams'} alone"),
                )


def unverified(config: Config) -> Iterator[Finding]:
    """A server far away that is spoken to by TLS proves itself only if asked."""
    for node in config.passes:
        target, level = config.target(node), config.parent(node)
        link = node.name.removesuffix("_pass")
        if target.scheme not in ("https", "grpcs", "suwsgi") or all(map(_is_loopback, target.servers)):
            continue
        if config.value(level, f"{link}_ssl_verify") != "on":
            yield config.finding(
                "upstream-unverified",
                node,
                "the certificate of the server is not checked",
                "who is on the way between nginx and it reads and changes everything",
                added(
                    level,
                    written(f"{link}_ssl_verify", "on"),
                    written(f"{link}_ssl_server_name", "on"),
                    written(f"{link}_ssl_trusted_certificate", "/etc/ssl/certs/ca-certificates.crt"),
                ),
            )


def _is_loopback(address: str) -> bool:
    return address.startswith(("unix:", "127.", "localhost", "[::1]"))


def sockets(config: Config) -> Iterator[Finding]:
    """A socket in a folder where everybody may write."""
    lines = [*config.passes, *(one for up in config.named("upstream") for one in up.all("server"))]
    for node in lines:
        found = re.search(
            r"unix:(?://)?((?:/var)?/tmp/[^:;]+|/dev/shm/[^:;]+)", node.args[0] if node.args else ""
        )
        if found:
            name = found[1].rpartition("/")[2]
            yield config.finding(
                "socket-in-tmp",
                node,
                f"the app's socket is in {found[1].rpartition('/')[0]}, where everybody may write",
                "any user of the machine can put a socket of that name there and read every request; "
                "a service with PrivateTmp= never finds it",
                instead(
                    written(node.name, node.args[0].replace(found[1], f"/run/app/{name}"), *node.args[1:])
                ),
            )


def params(config: Config) -> Iterator[Finding]:
    """`uwsgi_pass` and `fastcgi_pass` send nothing of the request by themselves."""
    for node in config.named("uwsgi_pass", "fastcgi_pass", "scgi_pass"):
        link, level = node.name.removesuffix("_pass"), config.parent(node)
        includes = [one for block in config.levels(level) for one in block.all("include")]
        said = config.in_force(level, f"{link}_param")
        if not said and not any(link in word or "*" in word for one in includes for word in one.args):
            yield config.finding(
                "no-params",
                node,
                f"{node.name} sends the app nothing of the request without {link}_param lines",
                "the app sees no method, no path and no host, and answers 500",
                added(level, written("include", f"{link}_params")),
            )


def connects(config: Config) -> Iterator[Finding]:
    for node in config.named(*(f"{link}_connect_timeout" for link in LINKS)):
        found = seconds(node.args[0]) if node.args else None
        if found is not None and found > 75:
            yield config.finding(
                "connect-timeout",
                node,
                "a connection is not waited for longer than 75 s, whatever is said here",
                "clients wait for a dead server as long as the system does",
                instead(written(node.name, "5s")),
            )


FINDERS = (
    paths, localhost, kept, upgrades, retries, unbuffered, unverified, sockets, params, connects,
)  # fmt: skip
