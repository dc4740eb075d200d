"""The gateway of a plan: its process and its files."""

from __future__ import annotations

from collections.abc import Sequence

from portico.place.model import Place
from portico.plan import bindings
from portico.plan.files import File, Process
from portico.plan.gateway.kinds import gateway_of
from portico.plan.web.model import Web
from portico.site.model import Site
from portico.site.routing import ToSite


def gateway_process(site: Site, place: Place) -> Process:
    """The gateway of one site; none if several sites share one, or if it is elsewhere."""
    kind = gateway_of(place)
    if not site.has_gateway:
        why = f"elsewhere: it opens {site.options.node.socket}"
        return Process(kind.name, (), place.runtime, why=why)
    if place.host_runtime:
        why = f"one for several sites: that of the gateway in {place.host_runtime}"
        return Process(kind.name, (), place.runtime, why=why)
    return kind.process(place, "the gateway: talks to clients, so that the app never meets a slow one")


def gateway_files(web: Web) -> Sequence[File]:
    """The whole configuration, or a fragment with its bindings; and the files that belong to either."""
    files = gateway_of(web.place).files(web)
    return (files[0], _bindings(web, files[0]), *files[1:]) if web.place.host_runtime else files


def _bindings(web: Web, fragment: File) -> File:
    site, kind = web.site, gateway_of(web.place)
    wanted = bindings.Bindings(
        site.name,
        site.origin or site.directory,
        tuple(bindings.Listen(address, words) for address, words in bindings.spoken(web).items()),
        web.hosts.declared,
        request_seconds=float(site.longest_timeout),
        urls=web.hosts.urls,
        runtime=web.place.runtime,
        routes=tuple(
            (one.rule.path, one.rule.target.name)
            for one in web.routing.routes
            if isinstance(one.rule.target, ToSite)
        ),
        mirrors=_mirrors(web),
        routed_by=tuple(site.options.routed_by),
        inspects=web.waf is not None,
        sets=kind.set_for_all(web),
        modules=kind.modules(web),
        once=kind.once(web),
        is_ordered=kind.names_in_order,
        own=tuple((number, line.cause) for number, line in enumerate(fragment.lines, 1) if line.is_users),
    )
    return bindings.file(wanted)


def _mirrors(web: Web) -> tuple[str, ...]:
    to = web.mirror.route.rule.target if web.mirror else None
    return (to.name,) if isinstance(to, ToSite) else ()
