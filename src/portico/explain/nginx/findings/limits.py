"""Limits that refuse the wrong requests, or none."""

from __future__ import annotations

from collections.abc import Iterator

from portico.explain.finding import Finding
from portico.explain.nginx.findings.config import Config, added, instead, variables, written

_FORGED = (
    "http_x_forwarded_for",
    "http_x_real_ip",
    "http_cf_connecting_ip",
    "http_true_client_ip",
    "http_x_client_ip",
)


def bursts(config: Config) -> Iterator[Finding]:
    for node in config.named("limit_req"):
        if not any(word.startswith("burst=") for word in node.args):
            yield config.finding(
                "limit-burst",
                node,
                "without a burst, two requests at the same moment are one too many",
                "ordinary pages with several requests are answered with errors",
                instead(written("limit_req", *node.args, "burst=20", "nodelay")),
            )


def keys(config: Config) -> Iterator[Finding]:
    """Whom a limit counts."""
    for node in config.named("limit_req_zone", "limit_conn_zone"):
        names = set(variables(node.args[0])) if node.args else set()
        level = config.parent(node)
        if forged := sorted(names & set(_FORGED)):
            yield config.finding(
                "limit-key-forged",
                node,
                f"the limit counts by ${forged[0]}, which a client writes as it likes",
                "with another address in each request nobody is ever limited",
                instead(written(node.name, "$binary_remote_addr", *node.args[1:])),
            )
        elif (
            names & {"binary_remote_addr", "remote_addr"}
            and _has_proxy(config)
            and not config.named("set_real_ip_from")
        ):
            yield config.finding(
                "limit-key-proxy",
                node,
                "the configuration knows of a proxy in front, and the limit counts the proxy's address",
                "all visitors together have one limit: a busy hour, or one attacker, locks out everybody",
                added(
                    level,
                    written("set_real_ip_from", "203.0.113.7"),
                    written("real_ip_header", "X-Forwarded-For"),
                ),
            )


def _has_proxy(config: Config) -> bool:
    """Whether a condition looks at what only a proxy sends."""
    known = set(_FORGED) | {"http_x_forwarded_proto"}
    asked = (one for one in config.named("if") if one.first("return", "rewrite"))
    return any(set(variables(word)) & known for one in asked for word in one.args)


def statuses(config: Config) -> Iterator[Finding]:
    for name in ("limit_req", "limit_conn"):
        used = config.named(name)
        if used and not any(config.in_force(config.parent(one), f"{name}_status") for one in used):
            yield config.finding(
                "limit-status",
                used[0],
                "a refusal is answered with 503, as if the site were down",
                "alarms ring, search engines and clients take it for a failure and try again",
                added(config.parent(used[0]), written(f"{name}_status", 429)),
            )


def zones(config: Config) -> Iterator[Finding]:
    if config.http is None:
        return
    unread = any(one.name == "include" for one in config.http.children or ())
    for name in ("limit_req", "limit_conn"):
        known = {
            w[5:].partition(":")[0]
            for one in config.named(f"{name}_zone")
            for w in one.args
            if w.startswith("zone=")
        }
        for node in config.named(name):
            first = node.args[0] if node.args else ""
            zone = next((w[5:] for w in node.args if w.startswith("zone=")), first)
            if zone not in known and not unread and "$" not in zone:
                yield config.finding(
                    "limit-zone-unknown",
                    node,
                    f"no {name}_zone makes the zone {zone}",
                    "nginx refuses the configuration and keeps the old one, or does not start",
                    added(
                        config.http,
                        written(
                            f"{name}_zone",
                            "$binary_remote_addr",
                            f"zone={zone}:10m",
                            *(("rate=10r/s",) if name == "limit_req" else ()),
                        ),
                    ),
                )


FINDERS = (bursts, keys, statuses, zones)
