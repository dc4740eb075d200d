"""What an app believes of the client: addresses, hosts and schemes that a client can invent."""

from __future__ import annotations

from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.findings.config import Config, added, instead, removed, variables, written
from portico.explain.node import Node

_TOLD = {
    "x-forwarded-for": ("X-Forwarded-For", "$remote_addr"), "x-real-ip": ("X-Real-IP", "$remote_addr"),
    "x-forwarded-proto": ("X-Forwarded-Proto", "$scheme"), "x-forwarded-host": ("X-Forwarded-Host", "$host"),
}  # fmt: skip
"""The headers by which an app learns who the client is, and what nginx itself knows."""
_SETTERS = {"proxy_pass": "proxy_set_header", "grpc_pass": "grpc_set_header", "uwsgi_pass": "uwsgi_param"}
_ANY = ("0.0.0.0/0", "::/0", "0.0.0.0", "::")  # noqa: S104  reading


def passed(config: Config) -> Iterator[Finding]:
    """A header that nginx does not set comes from the client."""
    for node in config.passes:
        level, setter = config.parent(node), _SETTERS.get(node.name)
        if setter is None or not config.target(node).is_near or _is_headless(config, node):
            continue
        said = {_plain(one.args[0]) for one in config.in_force(level, setter) if one.args}
        names = [name for name in _TOLD if name not in said]
        if (
            not names
            or (is_behind(config, level) and "x-forwarded-for" in said)
            or config.in_force(level, "internal")
        ):
            continue
        shown = ", ".join(_TOLD[name][0] for name in names)
        lines = [written(setter, _key(setter, name), _TOLD[name][1]) for name in names]
        yield config.finding(
            "forwarded-passed",
            node,
            f"a client's own {shown} {'reaches' if len(names) == 1 else 'reach'} the app unchanged",
            "a stranger names any address, host or scheme: in logs, limits, links of password mails",
            added(level, *lines),
        )


def _is_headless(config: Config, node: Node) -> bool:
    return (
        config.value(config.parent(node), f"{node.name.removesuffix('_pass')}_pass_request_headers") == "off"
    )


def _plain(name: str) -> str:
    return name.lower().removeprefix("http_").replace("_", "-")


def _key(setter: str, name: str) -> str:
    return f"HTTP_{name.upper().replace('-', '_')}" if setter.endswith("_param") else _TOLD[name][0]


def is_behind(config: Config, level: Node) -> bool:
    """Whether it names the proxies in front of it."""
    return bool(config.in_force(level, "set_real_ip_from"))


def forged(config: Config) -> Iterator[Finding]:
    """Headers about the client whose value is what the client said."""
    for node in config.named(*_SETTERS.values()):
        name = _plain(node.args[0]) if len(node.args) > 1 else ""
        if name not in (*_TOLD, "host", "remote-addr"):
            continue
        value, level = node.args[1], config.parent(node)
        if (
            name == "x-forwarded-for"
            and "proxy_add_x_forwarded_for" in value
            and not is_behind(config, level)
        ):
            yield config.finding(
                "forwarded-for",
                node,
                "the address is appended to a list that the client itself begins",
                "an app that takes the first address of X-Forwarded-For believes whatever a stranger sends",
                instead(written(node.name, node.args[0], "$remote_addr")),
            )
        elif name in ("host", "x-forwarded-host") and "http_host" in variables(value):
            yield config.finding(
                "raw-host",
                node,
                "$http_host is the header as the client wrote it; nginx compares another name when "
                "the request line has one",
                "a stranger chooses the host of the app's links, past server_name",
                instead(written(node.name, node.args[0], value.replace("$http_host", "$host"))),
            )
        elif any(word.startswith("http_x_") for word in variables(value)) and not is_behind(config, level):
            yield config.finding(
                "forwarded-passed",
                node,
                f"{node.args[0]} is what the client itself says",
                "a stranger names any address, host or scheme: in logs, limits, links of password mails",
                instead(written(node.name, node.args[0], _TOLD.get(name, ("", "$remote_addr"))[1])),
            )


def fixed(config: Config) -> Iterator[Finding]:
    """A scheme that is said, whatever the request came by."""
    for node in config.named(*_SETTERS.values()):
        server = config.server_of(node)
        if len(node.args) < 2 or _plain(node.args[0]) != "x-forwarded-proto" or node.args[1] != "https":
            continue
        if (
            server
            and not config.is_tls(server)
            and config.is_public(server)
            and not is_behind(config, server)
        ):
            yield config.finding(
                "proto-fixed",
                node,
                "the app is told https, and this server speaks http as well",
                "the app sends session cookies marked Secure that never come back, or skips its redirect to https",
                instead(written(node.name, node.args[0], "$scheme")),
            )


def hosts(config: Config) -> Iterator[Finding]:
    """Without a Host line the app hears the name of the upstream block."""
    for node in config.named("proxy_pass"):
        level, target = config.parent(node), config.target(node)
        said = [
            one
            for one in config.in_force(level, "proxy_set_header")
            if one.args and one.args[0].lower() == "host"
        ]
        if said or not target.is_near or "$" in target.host or _is_headless(config, node):
            continue
        if config.in_force(level, "internal"):
            continue
        shown = "localhost" if target.host.startswith("unix:") else target.host
        yield config.finding(
            "host-lost",
            node,
            f"the app hears {shown} as its host",
            f"redirects and links lead to http://{shown}/, and apps with a list of hosts answer 400",
            added(level, written("proxy_set_header", "Host", "$host")),
        )


def any_proxy(config: Config) -> Iterator[Finding]:
    for node in config.named("set_real_ip_from"):
        if node.args and node.args[0] in _ANY:
            yield config.finding(
                "real-ip-any",
                node,
                "every client may say from which address it comes",
                "a stranger passes every rule by address: limits, bans, allow lists, logs",
                instead(
                    written("set_real_ip_from", "203.0.113.7"), "# the addresses of your own proxy or CDN"
                ),
            )


def no_proxy(config: Config) -> Iterator[Finding]:
    for node in config.named("real_ip_header"):
        if not config.in_force(config.parent(node), "set_real_ip_from") and node.args[:1] != (
            "proxy_protocol",
        ):
            yield config.finding(
                "real-ip-none",
                node,
                "no set_real_ip_from says whose header is believed, so none is",
                "logs, limits and the app see the proxy's address for everybody",
                added(config.parent(node), written("set_real_ip_from", "203.0.113.7")),
            )


def names(config: Config) -> Iterator[Finding]:
    """Header names that become another's."""
    for node in config.named("underscores_in_headers", "ignore_invalid_headers"):
        if node.args == (("on",) if node.name.startswith("under") else ("off",)):
            yield config.finding(
                "odd-header-names",
                node,
                "header names with an underscore or odd characters reach the app",
                "X_Forwarded_For becomes the variable of X-Forwarded-For: a client sets what nginx meant to set",
                removed(),
            )


FINDERS = (passed, forged, fixed, hosts, any_proxy, no_proxy, names)
