"""The locations of the site's server: which path is answered by what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portico.plan.gateway.nginx.access import page_headers, refused_location
from portico.plan.gateway.nginx.allow_list import allow_header
from portico.plan.gateway.nginx.app.challenge import challenge_locations
from portico.plan.gateway.nginx.app.checks import check_locations
from portico.plan.gateway.nginx.app.detours import detours, to_tunnel
from portico.plan.gateway.nginx.app.link import pass_to_app
from portico.plan.gateway.nginx.app.routes import chosen_way, kept, settings
from portico.plan.gateway.nginx.entry.health import health_locations
from portico.plan.gateway.nginx.entry.maintenance import shut_location
from portico.plan.gateway.nginx.files.downloads import downloads
from portico.plan.gateway.nginx.files.open_files import open_files
from portico.plan.gateway.nginx.files.robots import robots_location
from portico.plan.gateway.nginx.files.spa import spa_locations, to_spa
from portico.plan.gateway.nginx.files.statics import asked_methods, statics
from portico.plan.gateway.nginx.guards import guarded
from portico.plan.gateway.nginx.headers import of_nginx, preflight_location, repeated
from portico.plan.gateway.nginx.pages import (
    down_location,
    failed_location,
    message_locations,
    no_part_location,
    pages_location,
)
from portico.plan.gateway.nginx.routing.detours import rule_detours
from portico.plan.gateway.nginx.routing.elsewhere import answer, elsewhere
from portico.plan.gateway.nginx.routing.mirror import mirror_location, mirrored
from portico.plan.gateway.nginx.syntax import Directive, block, directive
from portico.plan.gateway.nginx.waf import handed_on, inspected_name, is_inspected, waf_locations
from portico.plan.paths import Paths
from portico.plan.web.model import Web
from portico.plan.web.mount import (
    App,
    Below,
    Elsewhere,
    Exact,
    Files,
    Match,
    Matching,
    Mount,
    OneFile,
    Redirect,
)
from portico.plan.web.routing.build import route_guards


def locations(web: Web) -> list[Directive]:
    """Every location of the site, in an order for readers."""
    return [
        *health_locations(web),
        *robots_location(web),
        *_files(web),
        *_asked(web),
        *(_mount(web, mount) for mount in web.mounts if not isinstance(mount.action, Files | OneFile)),
        *detours(web),
        *rule_detours(web),
        *mirror_location(web),
        *waf_locations(web, _inspected(web).items()),
        *spa_locations(web),
        *downloads(web),
        *preflight_location(web),
        *shut_location(web),
        down_location(web),
        failed_location(web),
        *refused_location(web),
        *check_locations(web),
        pages_location(web, [*of_nginx(web), *page_headers(web), *allow_header(web)]),
        *challenge_locations(web),
        no_part_location(web),
        *message_locations(Paths.of(web.place)),
    ]


def _asked(web: Web) -> list[Directive]:
    return [_app(web, mount, name) for mount, name in _asked_mounts(web)]


def _asked_mounts(web: Web) -> list[tuple[Mount, str]]:
    why = "other requests for a file than reading it, where the app's own code decides: CORS preflights, POST"
    return [
        (Mount(Exact(name), asked, why, guards=web.chains.of(asked.routed)), name)
        for name, asked in asked_methods(web).items()
    ]


def _files(web: Web) -> list[Directive]:
    inside = {
        mount.match.path: [_mount(web, one) for one in mount.inside]
        for mount in web.mounts
        if isinstance(mount.action, Files) and isinstance(mount.match, Below)
    }
    return statics(web, inside)


def _mount(web: Web, mount: Mount) -> Directive:
    """A location that the app answers, or that has no content of its own."""
    match mount.action:
        case App():
            return _app(web, mount, *_words(mount.match))
        case Elsewhere():
            words = _words(mount.match)
            return elsewhere(
                web, mount, words if words[-1] == "/" or isinstance(mount.match, Exact) else ["^~", *words]
            )
        case Redirect(path):
            why = "one address for one page; 308 keeps a POST a POST"
            of = directive("return", 308, f"{path}$is_args$args", why=why, cause=mount.cause)
        case _:
            why = "not the app's to answer" if isinstance(mount.match, Below) else "as if it did not exist"
            of = directive("return", 404, why=why, cause=mount.cause)
    return block(
        "location",
        *_words(mount.match),
        why=mount.why,
        cause=mount.cause,
        of=[*guarded(web, mount.guards), of],
    )


def _words(match: Match) -> list[str]:
    """The words between `location` and the block."""
    if isinstance(match, Matching):
        return ["~*" if match.ignores_case else "~", match.pattern]
    return ["=", match.path] if isinstance(match, Exact) else [match.path]


def _app(web: Web, mount: Mount, *words: str) -> Directive:
    """A location that the app answers."""
    assert isinstance(mount.action, App)
    if is_inspected(mount.guards):  # limits on the request's size are checked where it comes in
        then = [*settings(web, mount.action.routed), *handed_on(web, mount)]
    else:
        then = _answer(web, mount)
    return block(
        "location", *words, why=mount.why, cause=mount.cause,
        of=[
            *chosen_way(web, mount.action.routed),
            *guarded(web, mount.guards, [to_tunnel(), *to_spa(web)]),
            *then,
            *(_mount(web, each) for each in mount.inside),
        ],
    )  # fmt: skip


def _answer(web: Web, mount: Mount) -> list[Directive]:
    """The app's answer to requests that passed the mount's guards, and its handling."""
    assert isinstance(mount.action, App)
    routed, is_cached = mount.action.routed, mount.action.is_cached
    own = [*(kept(web, routed) if is_cached else []), *settings(web, routed)]
    return [
        *(open_files(web) if is_cached and web.cache and not isinstance(mount.match, Matching) else []),
        *repeated(web, routed, own),
        *own,
        *mirrored(web),
        pass_to_app(web),
    ]


def _inspected(web: Web) -> dict[str, list[Directive]]:
    """The answers to requests that the firewall inspects first, by the named locations that inspect them."""
    found = [*_all(web.mounts), *(mount for mount, _ in _asked_mounts(web))]
    return {
        inspected_name(web, mount): _answer(web, mount)
        for mount in found
        if isinstance(mount.action, App) and is_inspected(mount.guards)
    } | {
        inspected_name(web, Mount(Exact(one.rule.path), Elsewhere(one), "")): answer(web, one)
        for one in web.routing.routes
        if is_inspected(route_guards(one, web.chains))
    }


def _all(mounts: Iterable[Mount]) -> Iterator[Mount]:
    for mount in mounts:
        yield mount
        yield from _all(mount.inside)
