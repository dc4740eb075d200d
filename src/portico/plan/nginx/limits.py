"""How much one client may ask for; refused with 429, as HTTP has it, not nginx's 503."""

from __future__ import annotations

from portico.plan.nginx.conf import Directive, directive
from portico.site.model import Site

_ZONE_SIZE = "10m"
"""About 160 000 client addresses, https://nginx.org/en/docs/http/ngx_http_limit_req_module.html"""


def limit_zones(site: Site) -> list[Directive]:
    """The shared memory that counts, at `http` level."""
    limits, made = site.options.limits, [_health_zone()]
    if limits.rate:
        made.append(
            directive(
                "limit_req_zone",
                "$binary_remote_addr",
                f"zone=portico_rate:{_ZONE_SIZE}",
                f"rate={limits.rate}",
                why="counts requests by client address, the real one behind a declared proxy",
                cause=site.cause("limits.rate"),
            )
        )
    if limits.connections:
        made.append(
            directive(
                "limit_conn_zone",
                "$binary_remote_addr",
                f"zone=portico_connections:{_ZONE_SIZE}",
                why="counts connections by client address",
                cause=site.cause("limits.connections"),
            )
        )
    return made


def _health_zone() -> Directive:
    return directive(
        "limit_req_zone", "$binary_remote_addr", "zone=portico_health:1m", "rate=10r/s",
        why="counts the health questions of each address: ten a second are more than any load balancer asks",
    )  # fmt: skip


def limits(site: Site) -> list[Directive]:
    """The limits themselves, where requests go to the app."""
    options, made = site.options.limits, []
    if options.rate:
        made += _module(
            site, "limit_req", "zone=portico_rate", f"burst={options.burst}", "nodelay",
            why="lets a burst through at once and refuses what exceeds it, instead of delaying everybody",
            cause="limits.rate",
        )  # fmt: skip
    if options.connections:
        made += _module(
            site, "limit_conn", "portico_connections", str(options.connections),
            why="one client cannot hold every connection", cause="limits.connections",
        )  # fmt: skip
    return made


def _module(site: Site, name: str, *args: str, why: str, cause: str) -> list[Directive]:
    made = [
        directive(name, *args, why=why, cause=site.cause(cause)),
        directive(
            f"{name}_status", 429, why="429 Too Many Requests; nginx's own default is 503",
            cause=site.cause(cause),
        ),
    ]  # fmt: skip
    if site.options.limits.dry_run:
        made.append(
            directive(
                f"{name}_dry_run",
                "on",
                why="only logs what would be refused",
                cause=site.cause("limits.dry_run"),
            )
        )
    return made
