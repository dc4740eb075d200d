"""Who can reach a site: all addresses of the machine, a container's loopback, PORT."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from portico.site.variants.platform import CAUSE
from portico.values import Address

if TYPE_CHECKING:  # `portico status` uses `on_all` and makes no plan
    from portico.plan.web.model import Web
    from portico.site.model import Site

_ALL = ("0.0.0.0", "::")  # noqa: S104  reading the word is not binding to it


def on_all(listen: Sequence[str]) -> str:
    """A remark beside the URLs: "on all addresses, port 8080"; empty if each address is a specific one."""
    ports = dict.fromkeys(text.rpartition(":")[2] for text in listen if _host(text) in _ALL)
    if not ports:
        return ""
    return f"on all addresses of this machine, port{'s' if len(ports) > 1 else ''} {' and '.join(ports)}"


def reachable(web: Web) -> Iterator[str]:
    """Why the site listens where the user may not expect it, or where no client can reach it."""
    site, place = web.site, web.place
    said = site.causes.get("listen")
    if said == CAUSE:
        yield f"listens on all addresses, port {site.listen.port}: {CAUSE}; --listen overrides it"
    elif place.port_of_platform and said is None and site.has_https:
        yield (
            f"PORT={place.port_of_platform} of the environment is not used, because HTTPS is on ({site.https_listen}); "
            "where a platform ends HTTPS in front, turn it off here"
        )
    if place.is_container and said is None and not site.listen.is_wildcard:
        port = site.listen.port
        yield (
            f"this is a container, and {site.listen} is reached from inside it only: portico run --listen :{port} "
            f"listens on all addresses"
        )


def _host(text: str) -> str:
    return text.rpartition(":")[0].removeprefix("[").removesuffix("]")


def is_reachable(site: Site) -> bool:
    """Whether others than the users of this machine can reach it: it has domains, or listens beyond loopback.

    A private network counts: it has users of its own, and a proxy or a forwarded port makes it public.
    """
    addresses = (site.listen, *((site.https_listen,) if site.has_https else ()))
    return (bool(site.options.domains) and not site.development) or not all(map(_is_loopback, addresses))


def _is_loopback(address: Address) -> bool:
    if address.is_wildcard:
        return False
    try:
        return ipaddress.ip_address(address.host.strip("[]")).is_loopback
    except ValueError:
        return address.host == "localhost"
