"""The addresses of the dashboard and of /metrics: virtual hosts of their own, apart from the site's.

Portico answers behind them, at sockets that accept no commands (`watch.endpoint`).
"""

from __future__ import annotations

from portico.plan.gateway.httpd.syntax import Directive, directive, section
from portico.plan.subjects import ObserverEndpoint
from portico.plan.web.model import Web

_UNIX = "https://httpd.apache.org/docs/2.4/mod/mod_proxy.html#unix"


def endpoint_servers(web: Web) -> list[Directive]:
    """The addresses and the virtual hosts of the endpoints."""
    made = list[Directive]()
    for endpoint, why, cause in _wanted(web):
        made += [directive("Listen", address, "http", why=why, cause=cause) for address in endpoint.listen]
        made.append(_server(endpoint, why, cause))
    return made


def has_endpoints(web: Web) -> bool:
    """Whether there is any: they are asked by HTTP."""
    return bool(_wanted(web))


def _wanted(web: Web) -> list[tuple[ObserverEndpoint, str, str]]:
    of = web.observers
    found = (
        (of.metrics, "where Prometheus asks, with the password", of.metrics_cause),
        (of.dashboard, "the dashboard", of.dashboard_cause),
    )
    return [(endpoint, why, cause) for endpoint, why, cause in found if endpoint]


def _server(endpoint: ObserverEndpoint, why: str, cause: str) -> Directive:
    socket = f"unix:{endpoint.socket}|http://observer/"
    return section(
        "VirtualHost", *endpoint.listen, why=f"{why}; without a log line: observers are not counted", cause=cause,
        of=[
            directive("ServerName", "observer", why="Portico looks at the Host itself", cause=cause),
            directive("LimitRequestBody", 1024, why="nothing is sent here", cause=cause),
            directive("ProxyPass", "/", socket, "disablereuse=on", cause=cause, source=_UNIX,
                      why="Portico itself, at a socket that can be asked and takes no orders"),
            directive("ProxyPreserveHost", "On", cause=cause,
                      why="as the browser sent it: it tells a page of another site"),
            directive("ProxyAddHeaders", "Off", why="who the observer is does not matter there", cause=cause),
        ],
    )  # fmt: skip
