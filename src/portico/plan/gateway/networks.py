"""Networks in the words that every gateway takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_HALVES = {"0.0.0.0/0": ("0.0.0.0/1", "128.0.0.0/1"), "::/0": ("::/1", "8000::/1")}


def halved(networks: Iterable[str]) -> Iterator[str]:
    """All of IPv4 or IPv6 as two halves: nginx calls the whole network `default` and warns of a second value, and
    httpd takes no prefix of 0 bits.
    """
    for network in networks:
        yield from _HALVES.get(network, (network,))
