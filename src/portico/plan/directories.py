"""The directories that a site needs: whose each is, and who may enter it. Pure.

nginx's master gives the paths of bodies on their way to its workers' user, with every start, reload and test, and
follows a link there. So Portico makes them, of that user from the start, in a directory that only root may write to.
"""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.appserver.kind import Feature, app_server
from portico.plan.gateway.kinds import gateway_of
from portico.plan.model import Directory
from portico.plan.paths import Paths, slow, workers
from portico.plan.tls import tls_directories
from portico.plan.web.app.link import RouteFact
from portico.plan.web.model import Web
from portico.site.model import Site


def directories(web: Web) -> tuple[Directory, ...]:
    """Every one, those above first."""
    site, place = web.site, web.place
    paths = Paths.of(place)
    private = 0o750 if place.nginx_group else 0o700
    # The app's own user passes through to its socket's configuration, and can list nothing.
    entered = private | 0o001 if place.app_user else private
    return (
        Directory(place.runtime, entered, group=place.nginx_group),
        Directory(place.state, private, group=place.nginx_group),
        # Made by nginx's own user: what that one may not read must not come out compressed.
        Directory(paths.precompressed, private, owner=place.nginx_user, group=place.nginx_group),
        *body_directories(place),
        *_cache(web),
        *_uploads(web),
        *_of_workers(site, place),
        *tls_directories(web),
    )


def body_directories(place: Place) -> tuple[Directory, ...]:
    """Those of bodies on their way, the one above first."""
    above, user, group = Paths.of(place).temporary, place.nginx_user, place.nginx_group
    return (
        Directory(above, 0o750 if group else 0o700, group=group),
        *(Directory(f"{above}/{name}", 0o700, owner=user, group=group) for name in gateway_of(place).bodies),
    )


def _cache(web: Web) -> list[Directory]:
    if web.cache is None:
        return []
    place = web.place
    return [Directory(Paths.of(place).cache, 0o700, owner=place.nginx_user, group=place.nginx_group)]


def _of_workers(site: Site, place: Place) -> list[Directory]:
    """Where the workers write of themselves; the app's own user can do it nowhere else."""
    if Feature.REPORT not in app_server(site).features:
        return []
    wanted = (slow(place.runtime), workers(place.runtime), *([Paths.of(place).app] if place.app_user else []))
    return [Directory(path, 0o700, owner=place.app_user, is_secret=True) for path in wanted]


def _uploads(web: Web) -> list[Directory]:
    place = web.place
    if not (place.hides_bodies and RouteFact.UPLOAD in web.link.of_routes):
        return []
    return [Directory(Paths.of(place).uploads, 0o700, owner=place.app_user, is_secret=True)]
