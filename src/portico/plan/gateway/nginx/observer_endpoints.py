"""The addresses where people and Prometheus look at the running site: servers of their own, apart from the site's.

Portico answers behind them, at sockets that can be asked and take no orders (`watch.endpoint`). nginx is between: it
meets the network, as it does for the site.
"""

from __future__ import annotations

from typing import TypedDict

from portico.errors import Problem
from portico.plan.gateway.nginx.conf import Directive, block, directive
from portico.plan.model import ObserverEndpoint
from portico.plan.paths import dashboard_socket, made_password, metrics_socket
from portico.plan.web.listeners import addresses
from portico.plan.web.model import Web
from portico.values import Address


class Endpoints(TypedDict):
    metrics: ObserverEndpoint | None
    dashboard: ObserverEndpoint | None


def observer_endpoints(web: Web) -> Endpoints:
    """Those that are asked for."""
    metrics, dashboard = web.site.options.metrics.listen, web.site.options.dashboard.listen
    return Endpoints(
        metrics=_endpoint(metrics, metrics_socket(web.place.runtime), web.site.metrics_password_file, web),
        dashboard=_endpoint(dashboard, dashboard_socket(web.place.runtime), web.site.password_file, web),
    )


def _endpoint(listen: Address | None, socket: str, file: str, web: Web) -> ObserverEndpoint | None:
    if listen is None:
        return None
    if not file:  # ours, in our own directory
        return ObserverEndpoint(addresses(listen, web.place), socket, made_password(web.place.state))
    return ObserverEndpoint(addresses(listen, web.place), socket, file, web.site.reader)


def refused(web: Web) -> list[Problem]:
    """Endpoints that cannot be: a site beside others on one nginx has none of its own."""
    if not web.place.gateway:
        return []
    what = "this site shares its nginx with others, and has no address of its own for that"
    return [
        Problem(
            web.site.cause(f"{name}.listen"),
            f"{name}.listen: {what}",
            f"portico {name} --site {web.site.name}",
        )
        for name, endpoint in observer_endpoints(web).items()
        if endpoint
    ]


def endpoint_servers(web: Web) -> list[Directive]:
    """The server blocks of the endpoints."""
    wanted = observer_endpoints(web)
    made = []
    if wanted["metrics"]:
        cause = web.site.cause("metrics.listen")
        made.append(_server(wanted["metrics"], "where Prometheus asks, with the password", cause))
    if wanted["dashboard"]:
        cause = web.site.cause("dashboard.listen")
        made.append(_server(wanted["dashboard"], "the dashboard", cause))
    return made


def _server(endpoint: ObserverEndpoint, why: str, cause: str) -> Directive:
    return block(
        "server", why=why, cause=cause,
        of=[
            *(_listen(address, cause=cause, is_v6=address.is_v6) for address in endpoint.listen),
            directive("server_name", "_", why="Portico looks at the Host itself", cause=cause),
            directive("access_log", "off", why="who looks on is not counted among the site's requests", cause=cause),
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
                        why="as the browser sent it: a page of somebody else's is told by it",
                    ),
                ],
            ),
        ],
    )  # fmt: skip


def _listen(address: object, *, cause: str, is_v6: bool) -> Directive:
    words = ["default_server", *(["ipv6only=on"] if is_v6 else [])]
    return directive("listen", address, *words, why="an address of its own", cause=cause)
