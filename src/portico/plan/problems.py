"""Why a site cannot be served like this, all problems together. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from portico.errors import Problem
from portico.place.model import Place
from portico.plan import tracing
from portico.plan.app_servers.build import impossible as no_server
from portico.plan.gateway.kinds import gateway_of
from portico.plan.notes import app_risks
from portico.plan.paths import SOCKET_PATH_LIMIT, Paths
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
        *_too_long(place, web.access.rules),
        *_unwritable(place),
    ]


def _too_long(place: Place, rules: str) -> Iterator[Problem]:
    path = Paths.of(place).longest_socket(rules)
    length = len(path.encode())
    if length > SOCKET_PATH_LIMIT:
        what = f"this socket path has {length} bytes, the system allows {SOCKET_PATH_LIMIT}"
        yield Problem(path, what, "set PORTICO_RUNTIME_DIR to a shorter directory")


def _unwritable(place: Place) -> Iterator[Problem]:
    what = f"has a $ or a control character, which {place.gateway.program} cannot write"
    for path in (place.runtime, place.state):
        if not is_literal(path):
            yield Problem(path, what, "choose another directory")
