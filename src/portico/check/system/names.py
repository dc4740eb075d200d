"""Do the domains lead to this machine?"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from portico.check.model import Finding, ok, warning
from portico.check.system.around import Around
from portico.site.model import Site

_NOT_PUBLIC = ("localhost", "example", "test", "invalid", "local", "internal", "lan", "home.arpa", "onion")
_DOCUMENTED = ("example.com", "example.net", "example.org")
"""Names that no public name server knows, or that stand for others (RFC 2606, 6761, 6762, 8375)."""


def name_findings(site: Site, around: Around, *, is_container: bool) -> Iterator[Finding]:
    """Nothing where a proxy is in front, or where this machine does not know its own public address."""
    domains = [one for one in site.options.domains if _is_public(one)]
    if not domains or site.proxies or is_container:
        return
    others = {domain: _other(domain) for domain in domains}
    wanted = dict.fromkeys([*domains, *(one for one in others.values() if one not in site.options.domains)])
    found = around.lookup(wanted)
    for domain in domains:
        if domain in found:
            problems = list(_of_domain(site, around, domain, found[domain]))
            yield from problems
            if not problems and _is_here(around, found[domain]):
                yield ok("domains", f"{domain} leads to this machine", "dns")
    for domain, other in others.items():
        if other not in site.options.domains and _is_here(around, found.get(other, [])):
            what = f"{other} leads to this machine, and domains has only {domain}: the gateway closes what comes for it"
            yield warning(
                "domains", what, f'domains = ["{domain}", "{other}"], canonical = "{domain}"', "www"
            )


def _of_domain(site: Site, around: Around, domain: str, addresses: list[str]) -> Iterator[Finding]:
    if not addresses:
        if site.https_mode != "auto":  # asked of its name server already
            what = f"{domain} has no address in DNS: nobody finds the site"
            yield warning("domains", what, "add an A (and AAAA) record that points to this machine", "dns")
        return
    own = [ipaddress.ip_address(one) for one in around.addresses]
    for version, record in ((4, "A"), (6, "AAAA")):
        here = {one for one in own if one.version == version and one.is_global}
        said = {one for one in map(ipaddress.ip_address, addresses) if one.version == version}
        if here and said and not here & said:
            shown = ", ".join(sorted(map(str, said)))
            what = f"{domain} leads to {shown} ({record}), which is no address of this machine"
            hint = f"let the {record} record lead here, or remove it; if that is a proxy of yours: behind"
            yield warning("domains", what, hint, "dns")
        elif version == 6 and here & said and site.public.host == "0.0.0.0":  # noqa: S104  a comparison
            what = f"{domain} has an AAAA record that leads here, and the site listens by IPv4 only"
            yield warning("listen", what, f'listen = ":{site.listen.port}" listens on both', "dns")


def _is_public(domain: str) -> bool:
    try:
        ipaddress.ip_address(domain.strip("[]"))
    except ValueError:
        pass
    else:
        return False
    ends = [*_NOT_PUBLIC, *_DOCUMENTED]
    is_reserved = any(domain == end or domain.endswith(f".{end}") for end in ends)
    return "." in domain and not domain.startswith("*.") and not is_reserved


def _other(domain: str) -> str:
    """With www, or without."""
    return domain.removeprefix("www.") if domain.startswith("www.") else f"www.{domain}"


def _is_here(around: Around, addresses: list[str]) -> bool:
    return any(ipaddress.ip_address(one).is_global and one in around.addresses for one in addresses)
