"""Rules for the options of [upstream], beyond their types."""

from __future__ import annotations

import ipaddress
import re

from portico.site.checks.rule import DOMAIN, NAME, Broken, Rules, can_be_asked
from portico.site.options import Options
from portico.site.upstream_server import APP, Server, is_interval

_VARIABLES = re.compile(r"(\$[a-z][a-z0-9_]*)+")


def _servers(options: Options) -> Broken:
    servers = []
    for text in options.upstream.servers:
        try:
            servers.append(Server.parse(text))
        except ValueError as error:
            yield f'"{text}" is not a server', str(error)
    if len(servers) < len(options.upstream.servers) or not servers:
        return
    names = [server.name for server in servers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f'"{name}" is named twice', "write it once, with a weight"
    protocols = sorted({server.protocol for server in servers if not server.is_app})
    if len(protocols) > 1:
        yield (
            f"the servers speak {' and '.join(protocols)}, but an nginx upstream has one protocol",
            "give all of them one protocol; a bare address is http",
        )
    if all(server.is_backup for server in servers):
        yield "every server is a backup", 'remove "backup" from at least one'
    if APP not in names and options.app is not None:
        yield (
            f'the app "{options.app}" would not be among them',
            'add "app" to the servers, or leave the app out',
        )


def _method(options: Options) -> Broken:
    method, servers = options.upstream.method, options.upstream.servers
    if method in ("ip_hash", "hash", "random_two") and any("backup" in text.split() for text in servers):
        yield f'"{method}" does not support backup servers', "use round_robin, least_conn or least_time"


def _hash_key(options: Options) -> Broken:
    if not _VARIABLES.fullmatch(options.upstream.hash_key):
        yield (
            f'"{options.upstream.hash_key}" does not consist of nginx variables',
            "expected $request_uri, $remote_addr, $cookie_NAME or the like",
        )


def _sticky(options: Options) -> Broken:
    sticky = options.upstream.sticky
    if sticky and not NAME.fullmatch(sticky):
        yield f'"{sticky}" cannot name a cookie', "expected letters, digits, _ and -"


def _check(options: Options) -> Broken:
    if not is_interval(options.upstream.check):
        yield f"{options.upstream.check} is out of range", "expected 100ms to 1h, or 0s to disable"


def _check_path(options: Options) -> Broken:
    path = options.upstream.check_path
    if path and not can_be_asked(path):
        yield f'"{path}" is not a URL path', "expected a path that begins with /, like /healthz"


def _tls_name(options: Options) -> Broken:
    name = options.upstream.tls_name
    if name:
        if not DOMAIN.fullmatch(name):
            yield f'"{name}" is not a host name', "expected a name like app.internal"
        return
    try:
        servers = [Server.parse(text) for text in options.upstream.servers]
    except ValueError:
        return  # the rule of the servers reports it
    if len({server.host for server in servers if server.protocol == "https"}) > 1:
        yield (
            "the https servers have different hosts, but nginx expects one name in all certificates",
            "name it in upstream.tls_name",
        )


def _resolver(options: Options) -> Broken:
    for entry in options.upstream.resolver:
        host, _, port = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "53")
        try:
            ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
            is_port = port.isascii() and port.isdigit() and 0 < int(port) < 65536
        except ValueError:
            is_port = False
        if not is_port or "%" in entry:
            yield (
                f'"{entry}" is not a name server',
                "expected an IP address like 10.0.0.53, or 127.0.0.1:5353",
            )


UPSTREAM_RULES: Rules = {
    "upstream.servers": _servers,
    "upstream.method": _method,
    "upstream.hash_key": _hash_key,
    "upstream.sticky": _sticky,
    "upstream.check": _check,
    "upstream.check_path": _check_path,
    "upstream.tls_name": _tls_name,
    "upstream.resolver": _resolver,
}
