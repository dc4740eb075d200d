"""The trusted proxies that `behind` knows by name."""

from __future__ import annotations

from collections.abc import Iterable

KNOWN_PROXIES: dict[str, tuple[str, ...]] = {
    # https://www.cloudflare.com/ips/ as published in 2026. A range that is added later has one effect: until the next
    # release, its clients appear under the proxy's address.
    "cloudflare": (
        "173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "141.101.64.0/18",
        "108.162.192.0/18", "190.93.240.0/20", "188.114.96.0/20", "197.234.240.0/22", "198.41.128.0/17",
        "162.158.0.0/15", "104.16.0.0/13", "104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22",
        "2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2405:b500::/32", "2405:8100::/32",
        "2a06:98c0::/29", "2c0f:f248::/32",
    ),
    # the private and loopback ranges: a load balancer on the same network.
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128"),
}  # fmt: skip
"""The names `behind` knows, and their address ranges."""
ROUTED = "unix:"
"""Stands for the site that sends requests here, over a unix socket; it has no network."""
SHARED = frozenset({"cloudflare"})
"""Those whose service anyone can use: headers that they do not set themselves cannot be trusted."""


def ranges(proxies: Iterable[str]) -> tuple[str, ...]:
    """The networks of these entries of `behind`."""
    return tuple(net for entry in proxies for net in KNOWN_PROXIES.get(entry, (entry,)) if net != ROUTED)
