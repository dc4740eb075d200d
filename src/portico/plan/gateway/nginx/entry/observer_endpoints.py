"""The addresses of the dashboard and of /metrics: servers of their own, apart from the site's.

Portico answers behind them, at sockets that accept no commands (`watch.endpoint`). nginx is in front of them, as it
is for the site.
"""

from __future__ import annotations

from portico.plan.gateway.nginx.syntax import Directive, block, directive
from portico.plan.subjects import ObserverEndpoint
from portico.plan.web.model import Web
from portico.values import Address


def endpoint_servers(web: Web) -> list[Directive]:
    """The server blocks of the endpoints."""
    wanted, made = web.observers, []
    if wanted.metrics:
        why = "where Prometheus asks, with the password"
        made.append(_server(wanted.metrics, why, wanted.metrics_cause))
    if wanted.dashboard:
        made.append(_server(wanted.dashboard, "the dashboard", wanted.dashboard_cause))
    return made


def _server(endpoint: ObserverEndpoint, why: str, cause: str) -> Directive:
    return block(
        "server", why=why, cause=cause,
        of=[
            *(_listen(address, cause) for address in endpoint.listen),
            directive("server_name", "_", why="Portico looks at the Host itself", cause=cause),
            directive("access_log", "off", why="requests of observers are not counted among the site's", cause=cause),
            directive("client_max_body_size", "1k", why="nothing is sent here", cause=cause),
            block(
                "location", "/", why="everything", cause=cause,
                of=[
                    directive(
                        "proxy_pass", f"http://unix:{endpoint.socket}", cause=cause,
                        why="Portico itself, at a socket that can be asked and takes no orders",
                    ),
                    directive(
                        "proxy_set_header", "Host", "$http_host", cause=cause,
                        why="as the browser sent it: it tells a page of another site",
                    ),
                ],
            ),
        ],
    )  # fmt: skip


def _listen(address: Address, cause: str) -> Directive:
    words = ["default_server", *(["ipv6only=on"] if address.is_v6 else [])]
    return directive("listen", address, *words, why="an address of its own", cause=cause)
