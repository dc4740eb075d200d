"""Places for people."""

from __future__ import annotations


def short(place: str) -> str:
    """`/etc/nginx/sites-enabled/shop:12` as `shop:12`."""
    return place.rpartition("/")[2]
