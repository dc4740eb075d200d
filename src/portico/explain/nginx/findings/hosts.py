"""Names and addresses: who answers for an unknown one, and who is never asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.findings.config import Config, added, instead, name_of, written
from portico.explain.nginx.servers import listens_of, names_of
from portico.explain.node import Node

_ANYBODY = ("", "_", "*")


def _by_address(config: Config) -> dict[tuple[str, int], list[tuple[Node, bool]]]:
    """The servers of each address, and whether they say default_server."""
    found: dict[tuple[str, int], list[tuple[Node, bool]]] = defaultdict(list)
    for server in config.servers:
        for listen in listens_of(server):
            found[listen.host, listen.port].append((server, listen.is_default))
    return found


def strangers(config: Config) -> Iterator[Finding]:
    """The first server answers for every name that no server has."""
    for (host, port), here in _by_address(config).items():
        default = next((server for server, is_default in here if is_default), here[0][0])
        real = [name for name in names_of(default) if name not in _ANYBODY]
        says = any(is_default for server, is_default in here if server is default)
        if (
            not real
            or says
            or host.startswith("127.")
            or not config.serves(default)
            or not config.is_public(default)
        ):
            continue
        where = f"{port}" if host == "*" else f"{host}:{port}"
        tls = config.has_tls(default)
        lines = ["server {", f"    listen {where}{' ssl' if tls else ''} default_server;"]
        lines += ["    ssl_reject_handshake on;"] if tls else ["    return 444;"]
        yield config.finding(
            "no-default-server",
            default,
            f"on {where} this server answers for every name, also for those of others",
            f"a stranger sends any Host to the app: links of password mails lead there, caches are poisoned, and "
            f"names other than {real[0]} show this site",
            added(config.http or config.root, *lines, "}"),
        )


def twins(config: Config) -> Iterator[Finding]:
    for (host, port), here in _by_address(config).items():
        seen: dict[str, Node] = {}
        for server, _ in here:
            for name in names_of(server):
                first = seen.setdefault(name.lower(), server)
                if first is not server and name not in _ANYBODY:
                    yield config.finding(
                        "duplicate-name",
                        server,
                        f"{name} on {host}:{port} belongs to the server at line {first.line}",
                        "nginx warns and never asks this one",
                        instead(written("server_name", f"www.{name}")),
                    )


def defaults(config: Config) -> Iterator[Finding]:
    for (host, port), here in _by_address(config).items():
        several = [server for server, is_default in here if is_default]
        for server in list(dict.fromkeys(several))[1:]:
            line = next((one for one in server.all("listen") if "default_server" in one.args), server)
            yield config.finding(
                "two-defaults",
                line,
                f"{host}:{port} has two default servers",
                "nginx refuses the configuration and keeps the old one, or does not start",
                instead(written("listen", *(word for word in line.args if word != "default_server"))),
            )


def plain_443(config: Config) -> Iterator[Finding]:
    for server in config.servers:
        for listen in listens_of(server):
            if (
                listen.port == 443
                and not listen.is_tls
                and listen.node
                and config.value(server, "ssl") != "on"
            ):
                yield config.finding(
                    "plain-443",
                    listen.node,
                    "port 443 speaks http: ssl is missing",
                    "browsers say that the connection is not safe, and show nothing",
                    instead(written("listen", *listen.node.args[:1], "ssl", *listen.node.args[1:])),
                )


def ipv6(config: Config) -> Iterator[Finding]:
    """A listening address that cannot be bound, and one that is missing."""
    found = _by_address(config)
    for server in config.servers:
        for listen in listens_of(server):
            node = listen.node
            if node and listen.host == "[::]" and "ipv6only=off" in node.args and ("*", listen.port) in found:
                yield config.finding(
                    "ipv6only-off",
                    node,
                    f"this listens for IPv4, too, and port {listen.port} is listened on for IPv4 already",
                    "the second address is in use: nginx does not start",
                    instead(written("listen", *(word for word in node.args if word != "ipv6only=off"))),
                )
    for port in (80, 443):
        here = found.get(("*", port))
        if here and not any(host.startswith("[") and one == port for host, one in found):
            server = here[0][0]
            line = next((one.node for one in listens_of(server) if one.port == port and one.node), server)
            words = line.args[1:] if line.name == "listen" else ()
            yield config.finding(
                "no-ipv6",
                line,
                f"nothing listens on port {port} by IPv6",
                "clients with IPv6 alone, and all whose DNS gives an AAAA record, get no answer",
                added(server, written("listen", f"[::]:{port}", *words)),
            )


def open_http(config: Config) -> Iterator[Finding]:
    """A site with TLS that is served without it, too."""
    with_tls = {name for server in config.servers if config.has_tls(server) for name in names_of(server)}
    for server in config.servers:
        names = [name for name in names_of(server) if name not in _ANYBODY]
        plain = [one for one in listens_of(server) if not one.is_tls]
        if not plain or config.value(server, "ssl") == "on" or not names or not with_tls.intersection(names):
            continue
        roots = [one for one in server.all("location") if one.first("return", "rewrite")]
        conditional = [one for one in server.all("if") if one.first("return", "rewrite")]
        if config.serves(server) and config.is_public(server) and not roots and not conditional:
            yield config.finding(
                "http-open",
                plain[0].node or server,
                f"{names[0]} answers by http as well, and does not redirect to https",
                "who is on the way reads passwords and cookies of all who type the address without https",
                instead(
                    "# a server of its own for port 80:",
                    f"server {{ listen 80; server_name {name_of(server)}; return 308 https://$host$request_uri; }}",
                ),
            )


def redirects(config: Config) -> Iterator[Finding]:
    """301 and 302 turn a POST into a GET."""
    for node in config.named("return", "rewrite"):
        server = config.server_of(node)
        if server is None or config.is_tls(server):
            continue
        to = node.args[-1] if node.name == "return" else (node.args[1] if len(node.args) > 2 else "")
        kept = node.args[0] if node.name == "return" else node.args[-1]
        if to.startswith("https://") and kept in ("301", "302", "permanent", "redirect", to):
            after = "$host$request_uri" if "$host" in to or "$server_name" in to or "$1" in to else to[8:]
            yield config.finding(
                "redirect-post",
                node,
                "a 301 or 302 makes a GET of a POST",
                "what a form or an API client sent by http is lost without an error",
                instead(written("return", 308, f"https://{after}")),
            )


FINDERS = (strangers, twins, defaults, plain_443, ipv6, open_http, redirects)
