"""Flags for a site behind another gateway, which has its certificate. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from portico.site.model import Site

_OF_HTTPS = (
    "cert", "key", "acme_ca", "acme_staging", "acme_profile", "eab_kid", "eab_hmac_file", "dns", "dns_credentials",
    "client_ca",
)  # fmt: skip
"""Options that are an error without HTTPS."""


def without_https(site: Site) -> Iterator[str]:
    """None for a site that has no HTTPS."""
    if site.has_https:
        yield "--https=off"
        given = (name for name in _OF_HTTPS if getattr(site.options.https, name))
        yield from (f"--https-{name.replace('_', '-')}=" for name in given)
