"""The directories of a site: their owners and modes. Pure.

nginx's master gives the directories of temporary bodies to its workers' user at each start, reload and test, and
follows symlinks. So Portico creates them, owned by that user from the start, in a directory that only root can write
to.
"""

from __future__ import annotations

from portico.app_servers.kind import Feature
from portico.place.model import Place
from portico.plan.app_servers.chosen import app_server
from portico.plan.files import Directory
from portico.plan.gateway.kinds import gateway_of
from portico.plan.paths import Paths, routed_sockets, slow, workers
from portico.plan.tls import tls_directories
from portico.plan.web.app.link import RouteFact
from portico.plan.web.model import Web
from portico.site.model import Site


def directories(web: Web) -> tuple[Directory, ...]:
    """All of them, parents first."""
    site, place = web.site, web.place
    paths = Paths.of(place)
    private = 0o750 if place.gateway_group else 0o700
    # The app's own user may traverse it to reach its socket's configuration, but not list it.
    entered = private | 0o001 if place.app_user else private
    return (
        Directory(place.runtime, entered, group=place.gateway_group),
        Directory(place.state, private, group=place.gateway_group),
        # nginx's own user creates the copies: a file that it may not read must not leak as a compressed copy.
        Directory(paths.precompressed, private, owner=place.gateway_user, group=place.gateway_group),
        *body_directories(place),
        *_cache(web),
        *_uploads(web),
        *_of_workers(site, place),
        *_of_socket(site, place, entered),
        *_of_challenge(web, private),
        *(
            []
            if place.host_runtime or not (web.listeners.routed or web.mirror)
            else [routed_directory(place)]
        ),
        *tls_directories(web),
    )


def routed_directory(place: Place) -> Directory:
    """The directory of sockets at which sites reach each other: the gateway's workers alone enter it."""
    private = 0o750 if place.gateway_group else 0o700
    return Directory(routed_sockets(place.runtime), private, group=place.gateway_group)


def body_directories(place: Place) -> tuple[Directory, ...]:
    """The directories of temporary bodies, the parent first."""
    above, user, group = Paths.of(place).temporary, place.gateway_user, place.gateway_group
    return (
        Directory(above, 0o750 if group else 0o700, group=group),
        *(Directory(f"{above}/{name}", 0o700, owner=user, group=group) for name in gateway_of(place).bodies),
    )


def _cache(web: Web) -> list[Directory]:
    if web.cache is None:
        return []
    place = web.place
    return [Directory(Paths.of(place).cache, 0o700, owner=place.gateway_user, group=place.gateway_group)]


def _of_workers(site: Site, place: Place) -> list[Directory]:
    """The directory that the workers write to; the app's own user can write nowhere else."""
    if Feature.REPORT not in app_server(site).features:
        return []
    wanted = (slow(place.runtime), workers(place.runtime), *([Paths.of(place).app] if place.app_user else []))
    return [Directory(path, 0o700, owner=place.app_user, is_secret=True) for path in wanted]


def _of_socket(site: Site, place: Place, mode: int) -> list[Directory]:
    """Where a gateway elsewhere finds the app. The user names it: it may be anybody's."""
    above, _, name = site.options.node.socket.rpartition("/")
    stem = name.removesuffix(".sock")
    holds = (
        "app-*.sock",
        "app-*.sock.keep",
        *(f"{stem}{end}" for end in (".sock", ".*.sock", ".next", ".*.next")),
    )
    return [Directory(above, mode, group=place.gateway_group, holds=holds)] if above else []


def _of_challenge(web: Web, private: int) -> list[Directory]:
    """What nginx reads and Portico alone writes."""
    found = web.challenge
    return [Directory(found.planned.directory, private, group=web.place.gateway_group)] if found else []


def _uploads(web: Web) -> list[Directory]:
    place = web.place
    if not (place.hides_bodies and RouteFact.UPLOAD in web.link.of_routes):
        return []
    return [Directory(Paths.of(place).uploads, 0o700, owner=place.app_user, is_secret=True)]
