"""How many files nginx's workers may have open, and for what."""

from __future__ import annotations

from portico.place.model import Place

_CONNECTIONS = 4096
"""Connections a worker holds; Passenger's default, https://www.phusionpassenger.com/docs/"""
FILES_PER_CONNECTION = 2
"""A proxied request holds the client's socket and the app's."""
_MOST_CACHED, _LEAST_CACHED = 4096, 16
_OTHERS = 64
"""Logs, listening sockets, what the libraries open."""


def connections(place: Place) -> int:
    """Connections one nginx worker may hold, within the file limit."""
    return max(64, min(_CONNECTIONS, place.file_limit // FILES_PER_CONNECTION - 64))


def cached_files(place: Place, shares: int) -> int:
    """Files that each of so many caches of a worker may keep open; 0 where the file limit leaves no room."""
    left = place.file_limit - FILES_PER_CONNECTION * connections(place) - _OTHERS
    most = min(_MOST_CACHED, left // max(1, shares))
    return most if most >= _LEAST_CACHED else 0
