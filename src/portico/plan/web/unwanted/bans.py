"""Clients that are refused everything for a while, because they tried paths of scanners.

Whoever runs the site decides who is banned; the gateway only looks for a file. Its name is the client's address, and
of an IPv6 address the part that names its network of 64 bits, as the address is written: whoever has one address of
such a network has all of them. One network may be written in several ways, and each of them has a file.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from itertools import product

from msgspec import Struct

from portico.place.model import Place
from portico.plan.model import Plan
from portico.plan.paths import Paths
from portico.plan.web.access import Access, Answer
from portico.plan.web.allow_list import obstacles
from portico.site.model import Site
from portico.site.proxies import KNOWN_PROXIES, ranges

_GROUP = "[0-9a-f]+"
V4 = r"(?:::ffff:)?", r"[0-9]+\.[0-9.]+", ""
V6 = (
    ("", rf"(?:{_GROUP}:){{4}}", ""),
    ("", rf"(?:{_GROUP}(?::{_GROUP}){{0,2}})?::", rf"(?:{_GROUP}(?::{_GROUP}){{0,3}})?$"),
    ("", rf"{_GROUP}::{_GROUP}:", rf"(?:{_GROUP}:){{3}}{_GROUP}$"),
)
"""What stands before the name of a client in the text of its address, the name, and what stands behind it. The rows of
IPv6: the network is written out; it ends in zeros that are left out; zeros are left out within it."""
_MANY = (
    "100.64.0.0/10",  # https://www.rfc-editor.org/rfc/rfc6598: the users of a provider share these
    "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32",  # all of IPv4 in one network: NAT64 (RFC 6052, RFC 8215), Teredo
)  # fmt: skip
NEVER = (*KNOWN_PROXIES["private"], "169.254.0.0/16", "fe80::/10", *_MANY)  # and link-local ones
"""Networks whose addresses stand for a proxy, this machine, or many clients."""
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_MOST_GUESSES, _GUESS_SECONDS = 20, 60.0
"""More than people mistype, and a tool with an old password stops soon: a thousandth of what nginx could verify."""


class Bans(Struct, frozen=True):
    """Who is banned, and for how long."""

    directory: str
    """It has the file of each client."""
    after: int
    """So many paths of scanners within a minute."""
    seconds: float
    """The first time; each further time within a day twice as long, up to a day."""
    is_dry_run: bool
    never: tuple[str, ...]
    """Networks whose clients are not banned."""
    cause: str
    dry_run_cause: str


def bans(site: Site, place: Place, *, is_waiting: bool) -> Bans | None:
    """None: nobody is, or scanners are not known here."""
    guard = site.options.guard
    if not guard.ban or not (is_waiting or not any(obstacles(site))):
        return None
    return Bans(
        directory=Paths.of(place).banned,
        after=guard.ban_after,
        seconds=float(guard.ban),
        is_dry_run=guard.ban_dry_run,
        never=tuple(dict.fromkeys((*NEVER, *ranges(site.proxies), *site.options.limits.exempt))),
        cause=site.cause("guard.ban"),
        dry_run_cause=site.cause("guard.ban_dry_run"),
    )


def guesses(site: Site, place: Place, access: Access) -> Bans | None:
    """Who may name no password for a while after too many wrong ones; None where nobody is asked for one."""
    if access.users is None:
        return None
    return Bans(
        directory=Paths.of(place).guessing,
        after=_MOST_GUESSES,
        seconds=_GUESS_SECONDS,
        is_dry_run=False,
        never=tuple(dict.fromkeys((*_LOOPBACK, *_MANY, *ranges(site.proxies), *site.options.limits.exempt))),
        cause="; ".join(dict.fromkeys(part for one in access.users.values for part in one.cause.split("; "))),
        dry_run_cause="",
    )


def unbanned(plan: Plan) -> list[Answer]:
    """Who may come, as `access.admits` says it: with bans, not everybody."""
    ban = plan.guards.bans
    if ban is None:
        return []
    words = "no client that is banned for a while (403)"
    return [Answer("ban", words + (", but this is a dry run" if ban.is_dry_run else ""), ban.cause)]


def client_of(address: str, *, by_network: bool) -> str:
    """Who counts as one client: an IPv4 address, or an IPv6 network of 64 bits. Raises ValueError for no address."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if found.version == 4 or not by_network:
        return str(found)
    return str(ipaddress.ip_network(f"{found}/64", strict=False))


def file_name(address: str, *, by_network: bool) -> str:
    """The name by which the gateway looks for this address; empty for one that cannot be banned."""
    if not by_network:
        return address
    for before, name, behind in (V4, *V6):
        if found := re.match(f"{before}({name}){behind}", address):
            return found[1]
    return ""


@lru_cache(1 << 10)
def file_names(client: str, *, by_network: bool) -> frozenset[str]:
    """The names of the files of a client, as `client_of` has it: each way to write one of its addresses."""
    if "/" not in client:
        return frozenset({client})
    network = int(ipaddress.IPv6Network(client).network_address)
    hosts = (sum(group << 16 * at for at, group in enumerate(groups)) for groups in product((0, 1), repeat=4))
    texts = (str(ipaddress.IPv6Address(network | host)) for host in hosts)
    return frozenset(filter(None, (file_name(text, by_network=by_network) for text in texts)))
