"""Which site is asked: its URL, the one address that is used from then on, and whether that is somebody else's."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import quote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from portico.errors import FAILED, PorticoError, Problem, UsageError

_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_EXPECTED = "expected the URL of a running site, such as https://shop.example/ or http://127.0.0.1:8080/"


class Target(Struct, frozen=True):
    """`host` as the client names it, `address` what it is resolved to: once, so that all of it goes to one machine."""

    scheme: str
    host: str
    port: int
    path: str
    address: str

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """The Host header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.address).is_loopback

    @property
    def is_near(self) -> bool:
        """This machine or its network: nobody else's site."""
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(self.address)
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        return address.is_loopback or address.is_private or address.is_link_local

    def secured(self, location: str) -> Target | None:
        """Where a redirect leads, if that is HTTPS at the same host. Its address stays, whatever DNS says by now: that
        machine was agreed to. Raises UsageError for what is no URL.
        """
        scheme, host, port, path = _parts(location)
        if (scheme, host) != ("https", self.host):
            return None
        return replace(self, scheme=scheme, port=port, path=path)

    def elsewhere(self, scheme: str, port: int) -> Target:
        """The same host by another scheme."""
        return replace(self, scheme=scheme, port=port)


def target_of(url: str) -> Target:
    """Raises UsageError for what is no URL, PorticoError for a host that has no address."""
    scheme, host, port, path = _parts(url)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise PorticoError(
            Problem("--url", f"{host} has no address: {error}", "is the name spelled right, and in DNS?")
        ) from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    return Target(scheme, host, port, path, next((one for one in addresses if ":" not in one), addresses[0]))


def _parts(url: str) -> tuple[str, str, int, str]:
    try:
        if _CONTROLS.search(url):
            raise ValueError
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host = parts.hostname or ""
        port = _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    if (
        parts.scheme not in _PORTS
        or not _NAME.fullmatch(host)
        or parts.username
        or parts.password
        or not port
    ):
        raise UsageError(Problem("--url", f"{url!r} is no URL of a site", _EXPECTED))
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=-._~?')}" if parts.query else ""
    return parts.scheme, host, port, path + query


class UnreachableError(PorticoError):
    """Nobody answers there."""

    exit_code = FAILED
