"""How this machine finds and trusts others: name servers, /etc/hosts, certificates."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from pathlib import Path

_CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Debian's and Alpine's, Red Hat's, BSD's."""


def resolvers(text: str | None = None) -> tuple[str, ...]:
    """The name servers of /etc/resolv.conf; an IPv6 address is in brackets, one with a scope is omitted."""
    words = _words("/etc/resolv.conf", text)
    return tuple(filter(None, (_address(line[1]) for line in words if line[0] == "nameserver" and line[1:])))


def known_hosts(text: str | None = None) -> frozenset[str]:
    """The names of /etc/hosts."""
    return frozenset(name for line in _words("/etc/hosts", text) for name in line[1:])


def ca_file() -> str:
    """The file of this system's trusted certificates, or empty."""
    return next((path for path in _CA_FILES if Path(path).is_file()), "")


def systems(text: str | None = None) -> tuple[str, ...]:
    """This system and those it is like, from its os-release: ("ubuntu", "debian"); on a Mac ("macos",)."""
    if sys.platform == "darwin":
        return ("macos",)
    found = {}
    for line in _words("/etc/os-release", text):
        key, _, value = " ".join(line).partition("=")
        found[key] = value.strip("\"'").lower().split()
    return tuple(dict.fromkeys((*found.get("ID", ()), *found.get("ID_LIKE", ()))))


def _words(path: str, text: str | None) -> Iterator[list[str]]:
    if text is None:
        try:
            text = Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
    for line in text.splitlines():
        if words := line.partition("#")[0].split():
            yield words


def _address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if "%" in text:
        return ""
    return f"[{address}]" if address.version == 6 else str(address)
