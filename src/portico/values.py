"""Small values with a text form: parsed once, printed back exactly.

Each `parse` raises ValueError with a message that says what was expected; the caller adds the place.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterator, Mapping
from typing import Self

from msgspec import Struct

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE_ALIASES = {"k": "KiB", "kb": "KiB", "kib": "KiB", "m": "MiB", "mb": "MiB", "mib": "MiB",
                 "g": "GiB", "gb": "GiB", "gib": "GiB", "b": "B"}  # fmt: skip
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_IDENTIFIER = r"[^\W\d]\w*"
_NO_SOCKET = (
    "expected a TCP address: clients cannot be served over a unix socket; where another server stands in front, "
    'listen on 127.0.0.1:8080 and name that server in behind ("127.0.0.1")'
)
_APP_REF = re.compile(rf"(?P<module>[^:]+)(?::(?P<attr>{_IDENTIFIER}(?:\.{_IDENTIFIER})*)(?P<call>\(.*\))?)?")


class Duration(float):
    """A length of time in seconds, written "30s", "500ms", "5m", "2h" or "1d"."""

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _NUMBER.fullmatch(text.strip())
        if not match or match[2] not in _DURATION_UNITS:
            raise ValueError("expected a number with a unit: 500ms, 30s, 5m, 2h or 1d")
        return cls(float(match[1]) * _DURATION_UNITS[match[2]])

    def __str__(self) -> str:
        for unit, seconds in reversed(_DURATION_UNITS.items()):
            if self >= seconds and (self / seconds).is_integer():
                return f"{int(self / seconds)}{unit}"
        return f"{round(self * 1000)}ms"


def longer(seconds: float) -> Duration:
    """A longer time than one that was too short: twice as long, in whole minutes above one."""
    twice = 2 * math.ceil(seconds)
    return Duration(twice if twice < 60 else 60 * math.ceil(twice / 60))


class Size(int):
    """A number of bytes, written "16MiB", "512KiB", "1GiB" or "4096B"; nginx's 16m and 16MB mean the same.

    All units are powers of 1024, as nginx's are: 16MB is 16 MiB.
    """

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _NUMBER.fullmatch(text.strip())
        unit = _SIZE_ALIASES.get(match[2].lower()) if match else None
        if not match or unit is None:
            raise ValueError("expected a number with a unit: 4096B, 512KiB, 16MiB or 1GiB")
        return cls(float(match[1]) * _SIZE_UNITS[unit])

    def __str__(self) -> str:
        for unit, count in reversed(_SIZE_UNITS.items()):
            if self >= count and self % count == 0:
                return f"{self // count}{unit}"
        return f"{int(self)}B"


def bandwidth(text: str) -> Size:
    """Bytes a second of "1MiB/second". Raises ValueError with what was expected."""
    size, slash, window = text.partition("/")
    if not slash or window.strip() != "second":
        raise ValueError('expected a size for each second, such as "1MiB/second"')
    found = Size.parse(size)
    if not 1024 <= found <= 1 << 40:
        raise ValueError("expected 1KiB/second to 1024GiB/second")
    return found


def counted(count: int, noun: str, nouns: str = "") -> str:
    """A number and what it counts: "1 request", "1,200 requests", "2 crashes"."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


class Address(Struct, frozen=True):
    """An address to listen on: `host:port`, `:port` (every interface) or `[v6]:port`."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        expected = "expected host:port, like 127.0.0.1:8080, [::1]:8080 or :8080"
        if text.strip().startswith(("unix:", "/")):
            raise ValueError(_NO_SOCKET)
        host, colon, port = text.strip().rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{expected}, with a port from 1 to 65535")
        return cls(_host(host, expected), int(port))

    @property
    def is_v6(self) -> bool:
        return ":" in self.host

    @property
    def is_wildcard(self) -> bool:
        return self.host in ("0.0.0.0", "::", "*")  # noqa: S104  reading the word is not binding to it

    @property
    def near(self) -> Address:
        """The address for clients on this machine: loopback if it stands for every interface."""
        if not self.is_wildcard:
            return self
        return Address("::1" if self.is_v6 else "127.0.0.1", self.port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_v6 else f"{self.host}:{self.port}"


def _host(text: str, expected: str) -> str:
    if text in ("", "*"):
        return "*"
    if text == "localhost":
        return "127.0.0.1"
    try:
        if "%" in text:
            raise ValueError
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise ValueError(f"{expected}; the host is an IP address") from None


class AppRef(Struct, frozen=True):
    """A reference to the app: `module`, `module:attribute`, `module:factory()` or the same with a path to a file."""

    module: str
    attribute: str = ""
    call: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _APP_REF.fullmatch(text.strip())
        if not match:
            raise ValueError("expected module:attribute, like shop:app, shop:create_app() or path/to/shop.py")
        return cls(match["module"], match["attr"] or "", match["call"] or "")

    @property
    def is_file(self) -> bool:
        return self.module.endswith((".py", ".ini")) or "/" in self.module

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}{self.call}" if self.attribute else self.module


class Secrets(Mapping[str, str]):
    """Values by name that nothing shows: as text, and in JSON, it is their names alone."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return ", ".join(sorted(self))
