"""One server of an upstream, as written: `10.0.0.2:8000 weight=3`, `https://app-b`, `app backup`."""

from __future__ import annotations

import re
from typing import Self

from msgspec import Struct

from portico.values import Duration

APP = "app"
"""The name of the local app among the servers."""
PORTS = {"http": 80, "https": 443}
"""Default ports by scheme; uwsgi and FastCGI have none."""
PARAMETERS = ("uwsgi", "fastcgi")
"""Protocols that hand an environ over instead of an HTTP request: SCRIPT_NAME, PATH_INFO."""
_SCHEMES = ("http", "https", "uwsgi", "fastcgi")
_EXPECTED = (
    'expected "10.0.0.2:8000", "https://app-b", "unix:/run/shop.sock", "uwsgi://10.0.0.2:3031", '
    '"fastcgi://10.0.0.2:9000" or "app"'
)
_HOST = r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)"
_ADDRESS = re.compile(rf"{_HOST}(:(?P<port>\d{{1,5}}))?")
_UNIX = re.compile(r"unix:/[A-Za-z0-9._/@+~-]+")
_NUMERIC = re.compile(r"[0-9.]+|\[.*\]")
_MOST_WEIGHT = 1000


class Server(Struct, frozen=True):
    """`name` is the first word as written, `protocol` is empty for the local app, `address` is in nginx's syntax."""

    name: str
    protocol: str
    address: str
    weight: int = 1
    is_backup: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with what was expected."""
        name, *words = text.split() or [""]
        protocol, address = ("", "") if name == APP else _location(name)
        weight, is_backup = 1, False
        for word in words:
            key, _, value = word.partition("=")
            if key == "weight" and value.isascii() and value.isdigit() and 1 <= int(value) <= _MOST_WEIGHT:
                weight = int(value)
            elif word == "backup":
                is_backup = True
            else:
                raise ValueError(
                    f'after the address, expected weight=1 to weight={_MOST_WEIGHT}, or "backup"'
                )
        return cls(name, protocol, address, weight, is_backup)

    @property
    def is_app(self) -> bool:
        return not self.protocol

    @property
    def host(self) -> str:
        """The host name or IP address; empty for a unix socket and for the app."""
        return "" if self.address.startswith("unix:") else self.address.rpartition(":")[0]

    @property
    def has_name(self) -> bool:
        """Whether its address needs a name server."""
        return bool(self.host) and not _NUMERIC.fullmatch(self.host)


def _location(name: str) -> tuple[str, str]:
    scheme, colon, rest = name.partition("://")
    protocol, rest = (scheme, rest) if colon else ("http", name)
    if protocol not in _SCHEMES:
        raise ValueError(_EXPECTED)
    if _UNIX.fullmatch(rest):
        return protocol, rest
    match = _ADDRESS.fullmatch(rest.removesuffix("/") if colon else rest)
    if not match or (not match["port"] and (not colon or protocol not in PORTS)):
        raise ValueError(_EXPECTED)
    port = int(match["port"] or PORTS[protocol])
    if not 0 < port < 65536:
        raise ValueError("expected a port from 1 to 65535")
    return protocol, f"{match['host']}:{port}"


def is_interval(seconds: Duration) -> bool:
    """Whether it can be the interval of checks; 0 means never."""
    return not seconds or 0.1 <= seconds <= 3600
