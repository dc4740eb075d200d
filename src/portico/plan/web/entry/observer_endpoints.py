"""The addresses of the dashboard and the metrics, apart from the site's."""

from __future__ import annotations

from msgspec import Struct

from portico.errors import Problem
from portico.place.model import Place
from portico.plan.paths import dashboard_socket, made_password, metrics_socket
from portico.plan.subjects import ObserverEndpoint
from portico.plan.web.entry.listeners import addresses
from portico.site.model import Site
from portico.values import Address


class ObserverEndpoints(Struct, frozen=True):
    """The requested endpoints. Portico answers at their sockets; the gateway is in front, as for the site."""

    metrics: ObserverEndpoint | None
    dashboard: ObserverEndpoint | None
    metrics_cause: str
    dashboard_cause: str


def observer_endpoints(site: Site, place: Place) -> ObserverEndpoints:
    """The address and the password of each."""
    metrics, dashboard = site.options.metrics.listen, site.options.dashboard.listen
    return ObserverEndpoints(
        metrics=_endpoint(metrics, metrics_socket(place.runtime), site.metrics_password_file, site, place),
        dashboard=_endpoint(dashboard, dashboard_socket(place.runtime), site.password_file, site, place),
        metrics_cause=site.cause("metrics.listen"),
        dashboard_cause=site.cause("dashboard.listen"),
    )


def impossible(site: Site, place: Place) -> list[Problem]:
    """Impossible endpoints: a site on a shared gateway has none of its own."""
    if not place.host_runtime:
        return []
    what = "this site shares its gateway with others, and has no address of its own for that"
    wanted = {"metrics": site.options.metrics.listen, "dashboard": site.options.dashboard.listen}
    return [
        Problem(site.cause(f"{name}.listen"), f"{name}.listen: {what}", f"portico {name} --site {site.name}")
        for name, listen in wanted.items()
        if listen
    ]


def _endpoint(
    listen: Address | None, socket: str, file: str, site: Site, place: Place
) -> ObserverEndpoint | None:
    if listen is None:
        return None
    at = addresses(listen, place)
    if not file:  # Portico's own, in its own directory
        return ObserverEndpoint(at, socket, made_password(place.state))
    return ObserverEndpoint(at, socket, file, site.reader)
