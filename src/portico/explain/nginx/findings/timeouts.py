"""Times that do not fit together, or let a client hold what others need."""

from __future__ import annotations

from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.families import LINKS
from portico.explain.nginx.findings.config import Config, added, instead, seconds, written

_DEFAULT = 60.0
_LONG = 3600.0
_SLOW = 300.0


def beside(config: Config) -> Iterator[Finding]:
    """The app server's own limit and that of nginx."""
    for backend in config.backends:
        if not backend.timeout:
            continue
        for node in config.passes:
            level, link = config.parent(node), node.name.removesuffix("_pass")
            text = config.value(level, f"{link}_read_timeout")
            found = seconds(text) if text else _DEFAULT
            if found is not None and found < backend.timeout:
                yield config.finding(
                    "timeout-mismatch",
                    node,
                    f"nginx waits {found:g} s for an answer, and the app server works on for "
                    f"{backend.timeout:g} s ({backend.place})",
                    "the visitor sees 504, and the work goes on for nobody",
                    added(level, written(f"{link}_read_timeout", f"{backend.timeout + 5:g}s")),
                )


def endless(config: Config) -> Iterator[Finding]:
    for node in config.named(*(f"{link}_read_timeout" for link in LINKS)):
        found, level = seconds(node.args[0]) if node.args else None, config.parent(node)
        is_socket = any(one.args[:1] == ("Upgrade",) for one in config.in_force(level, "proxy_set_header"))
        if found is not None and found >= _LONG and level.name in ("http", "server", "") and not is_socket:
            yield config.finding(
                "timeout-endless",
                node,
                f"an app that hangs holds its requests for {found / 3600:g} hours",
                "requests that hang pile up until no connection is left, and nobody is told",
                instead(written(node.name, "60s")),
            )


def slow(config: Config) -> Iterator[Finding]:
    for node in config.named("client_header_timeout", "client_body_timeout", "send_timeout"):
        found = seconds(node.args[0]) if node.args else None
        if found is not None and found > _SLOW:
            yield config.finding(
                "client-timeout",
                node,
                f"a client may pause for {found:g} s and keep its connection",
                "a few thousand connections from one machine take all that nginx has",
                instead(written(node.name, "30s")),
            )


def unkept(config: Config) -> Iterator[Finding]:
    for node in config.named("keepalive_timeout"):
        if node.args and seconds(node.args[0]) == 0:
            yield config.finding(
                "keepalive-off",
                node,
                "no connection of a browser is kept",
                "each picture and script waits for a connection and a TLS handshake of its own",
                instead(written("keepalive_timeout", "65s")),
            )


FINDERS = (beside, endless, slow, unkept)
