"""Who the client is, and which of its headers are trusted: only the connection and declared proxies decide."""

from __future__ import annotations

from msgspec import Struct

from portico.app_servers.kind import Feature
from portico.plan.app_servers.chosen import app_server, common_features
from portico.proxy_headers import FAMILIES, MIRRORED, OF_PROXY, kind, named
from portico.site.model import Site
from portico.site.proxies import ROUTED, SHARED, ranges

TRACE = "X-Portico-Trace"
"""The header that asks Portico's own worker to trace one request."""
_BELIEVED_BY_LIBRARIES = (
    "Forwarded", "X-Forwarded", "X-Forwarded-By", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Forwarded-Port",
    "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Url-Scheme", "X-Scheme",
    "X-HTTPS", "Front-End-Https", "X-Original-URL", "X-Original-Host", "X-Rewrite-URL", "X-Host", "Script-Name",
    "Path-Info", "Remote-Addr", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Proxy",
    "Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
)  # fmt: skip
"""The gateway removes these even if Portico's workers remove whole families: some library trusts each."""
_THIS_MACHINE = ("127.0.0.1", "::1")


class Proxies(Struct, frozen=True):
    """The declared proxies in front: only they may name the client."""

    networks: tuple[str, ...]
    shared: frozenset[str]
    """The proxies whose service anyone can use: only headers that they set themselves are trusted."""
    header: str
    """The header with the client's address: in a list, the last one that is not a proxy's. Empty: the PROXY
    protocol has it.
    """
    says_scheme: bool
    """Whether X-Forwarded-Proto names the client's scheme; in a list, the last entry counts: the nearest proxy's."""
    cause: str


class Trust(Struct, frozen=True):
    """Which claims about a client the gateway trusts."""

    proxies: Proxies | None
    is_fenced: bool
    """Only Portico's own workers answer: they remove whole families of headers themselves."""
    removed: tuple[str, ...]
    """Client headers that never reach the app."""
    from_proxy: tuple[str, ...]
    """Headers that reach the app from a declared proxy only."""
    from_shared: frozenset[str]
    """Those of them that are also trusted from a shared proxy: its own."""
    gateways: tuple[str, ...]
    """The networks that are answered, with this machine's own; empty for all."""
    cause: str
    protocol_cause: str
    gateways_cause: str


def trust(site: Site) -> Trust:
    """The trust settings of the site."""
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
        cause=_cause(site),
        protocol_cause=site.cause("behind_protocol"),
        gateways_cause=site.cause("behind_only" if site.options.behind_only else "node.gateways"),
    )


def _proxies(site: Site) -> Proxies:
    return Proxies(
        networks=(ROUTED,) if site.is_routed else ranges(site.proxies),
        shared=frozenset(ranges(entry for entry in site.proxies if entry in SHARED)),
        header=_header(site),
        says_scheme="scheme" in site.believed,
        cause=_cause(site),
    )


def _cause(site: Site) -> str:
    if site.is_routed:
        return site.cause("routed_by")
    return site.cause("node.gateways" if site.options.node.gateways else "behind")


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
    # Sites that route here have removed it from their clients' requests: what still has it is a copy.
    names = names if site.is_routed else (*names, MIRRORED)
    # Portico's own worker removes the trace header itself; other servers ignore it.
    return (*_foreign(site, names), *([] if Feature.TRACE in app_server(site).features else [TRACE]))


def _foreign(site: Site, names: tuple[str, ...]) -> tuple[str, ...]:
    """Headers without those that the app's own clients send."""
    own = set(map(str.lower, site.options.client_headers))
    return tuple(name for name in names if name.lower() not in own)


def _gateways(site: Site) -> tuple[str, ...]:
    gateways = ranges(site.proxies) if site.options.behind_only else tuple(site.options.node.gateways)
    if not gateways:
        return ()
    # Portico's own health checks come from this machine.
    own = _THIS_MACHINE if site.listen.is_wildcard else (*_THIS_MACHINE, site.listen.host)
    return (*dict.fromkeys(own), *gateways)
