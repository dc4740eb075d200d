"""Why a site cannot be served like this, all problems together. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from portico.errors import Problem
from portico.place.model import Place
from portico.plan import tracing
from portico.plan.app_servers.build import impossible as no_server
from portico.plan.development import impossible as no_development
from portico.plan.gateway.kinds import gateway_of
from portico.plan.notes import app_risks
from portico.plan.paths import SOCKET_PATH_LIMIT, Paths, release_socket, routed_socket, socket_aliases
from portico.plan.web.access import impossible as no_access
from portico.plan.web.app.challenge import impossible as no_challenge
from portico.plan.web.app.downloads import impossible as no_downloads
from portico.plan.web.app.upstream import impossible as no_upstream
from portico.plan.web.entry.observer_endpoints import impossible as no_endpoints
from portico.plan.web.limits import impossible as no_limits
from portico.plan.web.literal import is_literal
from portico.plan.web.model import Web
from portico.plan.web.routes import impossible as no_routes
from portico.plan.web.routing.build import impossible as no_routing
from portico.plan.web.routing.build import way_impossible
from portico.plan.web.waf import impossible as no_waf
from portico.site.routing import ToSite


def problems(web: Web) -> list[Problem]:
    """All problems; none if the site can be served."""
    site, place = web.site, web.place
    kind = gateway_of(place)
    return [
        *no_upstream(site, web.upstream, place),
        *kind.problems(web),
        *no_downloads(site),
        *no_routes(site),
        *no_routing(site, place, web.routing, web.abilities, kind.remedies),
        *(way_impossible(site, place, web.mirror.route) if web.mirror else []),
        *no_access(site, place, web.abilities, kind.remedies),
        *no_waf(site),
        *no_challenge(site, web.abilities, kind.remedies),
        *no_limits(site, is_waiting=web.is_waiting),
        *no_endpoints(site, place),
        *app_risks.impossible(site),
        *tracing.impossible(site, place),
        *no_server(site, place),
        *no_development(web),
        *_too_long(web),
        *_unwritable(place),
    ]


def _too_long(web: Web) -> Iterator[Problem]:
    own = web.site.options.node.socket
    apart = (
        [*(path for path, _ in socket_aliases(own)), release_socket(own.rpartition("/")[0], 99999)]
        if own
        else []
    )
    path = max([Paths.of(web.place).longest_socket(web.access.rules), *apart, *_between_sites(web)], key=len)
    length = len(path.encode())
    if length > SOCKET_PATH_LIMIT:
        what = f"this socket path has {length} bytes, the system allows {SOCKET_PATH_LIMIT}"
        yield Problem(path, what, "set PORTICO_RUNTIME_DIR to a shorter directory")


def _between_sites(web: Web) -> list[str]:
    """The sockets of the gateway at which this site is reached, reaches others, and has its copies taken."""
    ways = [*web.routing.routes, *([web.mirror.route] if web.mirror else [])]
    made = [
        routed_socket(web.place, web.site.name, one.rule.target.name)
        for one in ways
        if isinstance(one.rule.target, ToSite)
    ]
    return [*made, *web.listeners.routed, *([web.mirror.socket] if web.mirror else [])]


def _unwritable(place: Place) -> Iterator[Problem]:
    what = f"has a $ or a control character, which {place.gateway.program} cannot write"
    for path in (place.runtime, place.state):
        if not is_literal(path):
            yield Problem(path, what, "choose another directory")
