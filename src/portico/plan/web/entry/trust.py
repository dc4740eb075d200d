"""Who the client is and what is believed of it: the connection and declared proxies say so, and nobody else."""

from __future__ import annotations

from dataclasses import dataclass

from portico.plan.appserver.kind import Feature, app_server, common_features
from portico.proxy_headers import FAMILIES, OF_PROXY, kind, named
from portico.site.model import Site
from portico.site.proxies import SHARED, ranges

TRACE = "X-Portico-Trace"
"""Asks Portico's own worker to watch one request."""
_BELIEVED_BY_LIBRARIES = (
    "Forwarded", "X-Forwarded", "X-Forwarded-By", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Forwarded-Port",
    "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Url-Scheme", "X-Scheme",
    "X-HTTPS", "Front-End-Https", "X-Original-URL", "X-Original-Host", "X-Rewrite-URL", "X-Host", "Script-Name",
    "Path-Info", "Remote-Addr", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Proxy",
    "Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
)  # fmt: skip
"""The gateway removes these also where Portico's own workers remove whole families: some library believes each."""
_THIS_MACHINE = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Proxies:
    """The declared proxies in front: they may say who the client is, and nobody else may."""

    networks: tuple[str, ...]
    shared: frozenset[str]
    """Those of the networks that anybody can send requests through: believed in headers of their own only."""
    header: str
    """Names the client: in a list, the last address that is no proxy's. Empty: the PROXY protocol names it."""
    says_scheme: bool
    """Whether X-Forwarded-Proto tells the client's scheme; of a list the last entry, the nearest proxy's, counts."""
    cause: str


@dataclass(frozen=True)
class Trust:
    """Whom the gateway believes what of a client."""

    proxies: Proxies | None
    is_fenced: bool
    """Nobody but Portico's own workers answers: they remove whole families of headers themselves."""
    removed: tuple[str, ...]
    """The headers of a client that never reach the app."""
    from_proxy: tuple[str, ...]
    """The headers that reach the app from a declared proxy only."""
    from_shared: frozenset[str]
    """Those of them that are also believed from a proxy that many share: its own."""
    gateways: tuple[str, ...]
    """The networks whose connections are answered, this machine's own among them; empty for everybody's."""
    cause: str
    protocol_cause: str
    gateways_cause: str


def trust(site: Site) -> Trust:
    """Whom the gateway believes."""
    believed, is_fenced = site.believed & set(OF_PROXY), Feature.FENCE in common_features(site)
    is_known = bool(site.proxies) and not is_fenced
    from_proxy = _foreign(site, named(believed)) if is_known else ()
    return Trust(
        proxies=_proxies(site) if site.proxies else None,
        is_fenced=is_fenced,
        removed=_removed(site, is_fenced),
        from_proxy=from_proxy,
        from_shared=frozenset(name for name in from_proxy if name.lower().startswith("cf-")),
        gateways=_gateways(site),
        cause=site.cause("behind"),
        protocol_cause=site.cause("behind_protocol"),
        gateways_cause=site.cause("behind_only" if site.options.behind_only else "node.gateways"),
    )


def _proxies(site: Site) -> Proxies:
    return Proxies(
        networks=ranges(site.proxies),
        shared=frozenset(ranges(entry for entry in site.proxies if entry in SHARED)),
        header=_header(site),
        says_scheme="scheme" in site.believed,
        cause=site.cause("node.gateways" if site.options.node.gateways else "behind"),
    )


def _header(site: Site) -> str:
    if site.has_proxy_protocol:
        return ""
    return "CF-Connecting-IP" if site.proxies == ["cloudflare"] else "X-Forwarded-For"


def _removed(site: Site, is_fenced: bool) -> tuple[str, ...]:
    if is_fenced:
        names = tuple(name for name in _BELIEVED_BY_LIBRARIES if kind(name) not in site.believed)
    else:
        said = site.believed & set(OF_PROXY)
        names = named([one.kind for one in FAMILIES if one.kind not in said])
    # Portico's own worker takes the header of a trace out itself; it means nothing to anybody else.
    return (*_foreign(site, names), *([] if Feature.TRACE in app_server(site).features else [TRACE]))


def _foreign(site: Site, names: tuple[str, ...]) -> tuple[str, ...]:
    """Without the headers that the app's own clients send."""
    own = set(map(str.lower, site.options.client_headers))
    return tuple(name for name in names if name.lower() not in own)


def _gateways(site: Site) -> tuple[str, ...]:
    gateways = ranges(site.proxies) if site.options.behind_only else tuple(site.options.node.gateways)
    if not gateways:
        return ()
    # Portico itself asks whether the site is well, from this machine.
    own = _THIS_MACHINE if site.listen.is_wildcard else (*_THIS_MACHINE, site.listen.host)
    return (*dict.fromkeys(own), *gateways)
