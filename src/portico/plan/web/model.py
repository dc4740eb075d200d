"""What the gateway does for one site, decided once: values that any gateway's renderer can write.

They contain no directive or variable of any gateway. A value says what is done; `cause` names the option or fact
that decided it.
"""

from __future__ import annotations

from msgspec import Struct

from portico.app_servers.kind import AppServer, Feature
from portico.place.model import Place
from portico.plan.web.ability import Ability
from portico.plan.web.access import Access
from portico.plan.web.allow_list import AllowList
from portico.plan.web.app.cache import Cache
from portico.plan.web.app.challenge import Challenge
from portico.plan.web.app.downloads import Downloads
from portico.plan.web.app.link import Link
from portico.plan.web.app.server_timing import ServerTiming
from portico.plan.web.app.tracing import Tracing
from portico.plan.web.app.upstream import Upstream
from portico.plan.web.entry.health import Health
from portico.plan.web.entry.host_header import Host
from portico.plan.web.entry.hosts import Hosts
from portico.plan.web.entry.listeners import Listeners
from portico.plan.web.entry.observer_endpoints import ObserverEndpoints
from portico.plan.web.entry.tls import Tls
from portico.plan.web.entry.transfer import Transfer
from portico.plan.web.entry.trust import Trust
from portico.plan.web.files.spa import Spa
from portico.plan.web.files.statics import Statics
from portico.plan.web.guards import Chains
from portico.plan.web.headers import Headers
from portico.plan.web.limits import Limits
from portico.plan.web.log import Log
from portico.plan.web.mount import Mount
from portico.plan.web.own import OwnDirectives
from portico.plan.web.pages import Pages
from portico.plan.web.processes import Processes
from portico.plan.web.routing.model import Mirror, Routing
from portico.plan.web.unwanted.bans import Bans
from portico.plan.web.unwanted.crawlers import Crawlers, Robots
from portico.plan.web.waf import Waf
from portico.site.model import Routed, Site


class Web(Struct, frozen=True):
    """The decisions about one site, subject by subject."""

    site: Site
    place: Place
    """The place: the renderer takes paths from it, and the build of the gateway."""
    name: str
    """The site's name. A shared gateway has a directory of that name for its files."""
    abilities: frozenset[Ability]
    """The gateway's abilities."""
    space: str
    """The prefix of the site's names on a shared gateway; empty for a site alone."""
    app_server: AppServer
    """The app server here."""
    features: frozenset[Feature]
    """The features of everything that may answer a request, with the servers of [upstream]."""
    is_waiting: bool
    """The app is not known yet: visitors get a page about it."""
    prefix: str
    """The URL prefix of the whole site: "/shop", or empty."""
    processes: Processes
    listeners: Listeners
    hosts: Hosts
    tls: Tls | None
    """None for plain HTTP alone."""
    transfer: Transfer
    health: Health
    observers: ObserverEndpoints
    limits: Limits
    headers: Headers
    access: Access
    crawlers: Crawlers | None
    """None: no client is refused for the name that it gives."""
    robots: Robots | None
    """None: the gateway does not answer /robots.txt itself."""
    bans: Bans | None
    """None: nobody is refused for what it tried before."""
    guesses: Bans | None
    """Clients that guessed passwords: they may send none for a while."""
    challenge: Challenge | None
    """None: nobody is asked for a pass."""
    allow_list: AllowList | None
    """None: requests that match no rule of the app go to the app."""
    statics: Statics
    trust: Trust
    spa: Spa | None
    cache: Cache | None
    """None: no answer of the app is cached."""
    routed: tuple[Routed, ...]
    """Routes with settings of their own, in the order in which the app tries them."""
    hides_bodies: bool
    """The app cannot read the gateway's files of uploads: the app server writes its own for a route."""
    waf: Waf | None
    """None: no firewall."""
    chains: Chains
    """The guards of the app's answers: each mount has its own selection of them."""
    routing: Routing
    mirror: Mirror | None
    mounts: tuple[Mount, ...]
    host: Host
    upstream: Upstream
    link: Link
    downloads: Downloads
    """Folders whose files the gateway sends for the app."""
    tracing: Tracing | None
    server_timing: ServerTiming | None
    """None: nobody gets the times of a request."""
    own: OwnDirectives
    log: Log
    pages: Pages
