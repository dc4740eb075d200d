"""Checks before the first order: do the names lead here, is the challenge path reachable, may this authority issue?

Certain failures are reported at once, and do not count against the authority's limits. Uncertain ones (a router may
not let us reach our public address from inside) are left to the rehearsal.
"""

from __future__ import annotations

import http.client
import ipaddress
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import dns.exception
import dns.rdatatype
import dns.resolver

from portico.errors import PorticoError, Problem
from portico.plan.subjects import Acme, Tls
from portico.plan.web.entry.tls import CHALLENGE
from portico.run.tls import make, webroot
from portico.site.checks.https import address_of, host_of

DNS_SECONDS = 10.0
REACH_SECONDS = 5.0
_CAA_OF = {
    "api.letsencrypt.org": "letsencrypt.org",
    "acme.zerossl.com": "sectigo.com",
    "pki.goog": "pki.goog",
}
"""An authority's name in CAA records, by the end of its server's name."""


def preflight(tls: Tls) -> tuple[Problem, ...]:
    """The certain failures; blocks."""
    assert tls.acme is not None
    resolver = _resolver(tls.acme)
    return tuple(problem for name in tls.names for problem in _checked(name, tls.acme, resolver))


def unknown(tls: Tls) -> tuple[Problem, ...]:
    """The failures visible in DNS alone, also while nothing is served; blocks."""
    assert tls.acme is not None
    resolver = _resolver(tls.acme)
    return tuple(
        problem for name in tls.names for problem in _checked(name, tls.acme, resolver, asks_us=False)
    )


def _checked(
    name: str, acme: Acme, resolver: dns.resolver.Resolver, *, asks_us: bool = True
) -> Iterator[Problem]:
    if address_of(name) is not None:  # an address needs no name server
        if asks_us:
            yield from _shown({"address": [name]}, host_of(name), acme)
        return
    try:
        yield from _forbidden(name, acme, resolver)
        if not acme.dns:
            yield from _elsewhere(name, acme, resolver, asks_us=asks_us)
    except dns.exception.DNSException as error:
        hint = "is the name right, and does its name server answer? another to ask: https.resolver"
        yield Problem(name, f"cannot be looked up in DNS: {str(error).rstrip('.')}", hint)


def _elsewhere(name: str, acme: Acme, resolver: dns.resolver.Resolver, *, asks_us: bool) -> Iterator[Problem]:
    """Every address of the name must return our test file."""
    found = {kind: _addresses(name, kind, resolver) for kind in ("A", "AAAA")}
    if not any(found.values()):
        hint = "add an A (and AAAA) record for it that points to this machine"
        yield Problem(name, "has no address in DNS", hint)
        return
    if asks_us:
        yield from _shown(found, name, acme)


def _shown(found: Mapping[str, Sequence[str]], name: str, acme: Acme) -> Iterator[Problem]:
    """Create a test file, and fetch it from each address."""
    token, word = f"portico-{secrets.token_hex(8)}", secrets.token_hex(16)
    path = Path(acme.challenges) / CHALLENGE.strip("/") / token
    try:
        webroot.make(acme.challenges)
        make.write(path, word.encode(), 0o644)
        for kind, addresses in found.items():
            for address in addresses:
                yield from _strange(name, kind, address, acme, token, word)
    except PorticoError as error:
        yield from error.problems
        return
    except OSError as error:
        yield Problem(str(path.parent), f"cannot be written: {error.strerror}")
    finally:
        with suppress(OSError):
            path.unlink()


def _strange(name: str, kind: str, address: str, acme: Acme, token: str, word: str) -> Iterator[Problem]:
    answer = _asked(name, address, acme.port, CHALLENGE + token)
    if answer == word:
        return
    hint = f"let the {kind} record of {name} point to this machine, or remove it"
    if kind == "address":
        yield from _strange_address(address, acme.port, is_other=answer is not None)
        return
    if answer is not None:
        yield Problem(
            name, f"points to {address} ({kind}), where another server answers at port {acme.port}", hint
        )
    elif not _is_public(address):
        what = f"points to {address} ({kind}), which no authority can reach"
        yield Problem(name, what, hint)
    elif kind == "AAAA":
        what = f"points to {address} (AAAA), where nothing answers at port {acme.port}; authorities ask there first"
        yield Problem(name, what, hint)


def _strange_address(address: str, port: int, *, is_other: bool) -> Iterator[Problem]:
    if is_other:
        what = f"another server answers at port {port}"
        yield Problem(address, what, "is it this machine's address?")
    elif not _is_public(address):
        yield Problem(address, "is an address that no authority can reach", "name a public one")


def _is_public(address: str) -> bool:
    """Whether the address may be public; on a test server's loopback every failure is certain."""
    return ipaddress.ip_address(address).is_global


def _asked(name: str, address: str, port: int, path: str) -> str | None:
    """The answer of that address, None without one."""
    connection = http.client.HTTPConnection(address, port, timeout=REACH_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": name, "Connection": "close"})
        return connection.getresponse().read(4096).decode("latin-1")
    except (OSError, http.client.HTTPException) as error:
        return "" if isinstance(error, http.client.HTTPException) else None
    finally:
        connection.close()


def _addresses(name: str, kind: str, resolver: dns.resolver.Resolver) -> list[str]:
    try:
        return [item.to_text() for item in resolver.resolve(name, kind)]
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []


def _forbidden(name: str, acme: Acme, resolver: dns.resolver.Resolver) -> Iterator[Problem]:
    """CAA records (RFC 8659): those of the name decide, else those of the nearest name above it."""
    authority = _authority(acme.server)
    is_wildcard, bare = name.startswith("*."), name.removeprefix("*.")
    records = _caa(bare, resolver)
    wild = [value for tag, value in records if tag == "issuewild"]
    issue = wild if is_wildcard and wild else [value for tag, value in records if tag == "issue"]
    if not authority or not issue or authority in issue:
        return
    allowed = ", ".join(value or "nobody" for value in issue)
    hint = f'add a CAA record: {bare}. CAA 0 issue "{authority}"'
    yield Problem(name, f"has a CAA record that allows {allowed} only, not {authority}", hint)


def _caa(name: str, resolver: dns.resolver.Resolver) -> Sequence[tuple[str, str]]:
    while "." in name:
        try:
            found = resolver.resolve(name, "CAA")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.NoNameservers):
            name = name.partition(".")[2]
            continue
        return [
            (
                item.tag.decode("ascii", "replace").lower(),
                item.value.decode("ascii", "replace").partition(";")[0].strip(),
            )
            for item in found
        ]
    return ()


def _authority(server: str) -> str:
    host = server.partition("://")[2].partition("/")[0].partition(":")[0]
    return next((name for end, name in _CAA_OF.items() if host.endswith(end)), "")


def _resolver(acme: Acme) -> dns.resolver.Resolver:
    made = dns.resolver.Resolver(configure=not acme.resolvers)
    made.lifetime = DNS_SECONDS
    if acme.resolvers:
        made.nameservers = [_server(text) for text in acme.resolvers]
    return made


def _server(text: str) -> dns.nameserver.Nameserver:
    host, _, port = text.rpartition(":") if text.count(":") == 1 else (text.strip("[]"), "", "53")
    return dns.nameserver.Do53Nameserver(host, int(port))
