"""Removes a client's forged proxy headers, by families of names (`proxy_headers`).

nginx can blank names, not patterns: unlisted names are removed here. nginx's own variables come first in a request,
then the client's headers: every name after the last of nginx's is checked. Most were seen before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from portico.proxy_headers import kind

VARIABLE: Final = "PORTICO_BELIEVED"
"""The families that a declared proxy may use, and the headers that any client may, all in lower case."""
_LAST: Final = "PORTICO_MSEC"
_LAST_HEADER: Final = b"x-portico-msec"
_SENDER: Final = "PORTICO_PROXY"
SENDER_HEADER: Final = b"x-portico-proxy"
_STRANGER, _PROXY, _SHARED = "0", "1", "2"
MOST_KNOWN: Final = 4096
LONGEST_KNOWN: Final = 64
"""The cache of harmless header names, most of all clients' choice; other names are checked each time."""


class Fence:
    """Knows which headers each sender may set."""

    def __init__(self, believed: frozenset[str]) -> None:
        self._believed = believed
        self._known: dict[str, set[str]] = {_STRANGER: set(), _PROXY: set(), _SHARED: set()}
        self._known_bytes: dict[bytes, set[bytes]] = {b"0": set(), b"1": set(), b"2": set()}

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Fence | None:
        """None if the plan has no fence: another server's nginx is in front."""
        words = environment.get(VARIABLE)
        return None if words is None else cls(frozenset(words.split(",")))

    def clean(self, environ: dict[str, Any]) -> None:
        """Removes headers that the sender may not set."""
        sender = environ.get(_SENDER, _STRANGER)
        known = self._known[sender]
        removed = None
        for name in reversed(environ):
            if name in known:
                continue
            if name == _LAST:
                break
            if name[:5] == "HTTP_" and not self._may(sender, name[5:].replace("_", "-")):
                removed = [*(removed or ()), name]
            elif len(known) < MOST_KNOWN and len(name) <= LONGEST_KNOWN:
                known.add(name)
        for name in removed or ():
            del environ[name]

    def headers(self, pairs: list[tuple[bytes, bytes]], sender: bytes) -> list[tuple[bytes, bytes]]:
        """The headers of an ASGI scope without those that `sender` may not set."""
        known = self._known_bytes[sender]
        removed = set()
        for name, _ in reversed(pairs):
            if name in known:
                continue
            if name == _LAST_HEADER:
                break
            if not self._may(sender.decode("latin-1"), name.decode("latin-1").replace("_", "-")):
                removed.add(name)
            elif len(known) < MOST_KNOWN and len(name) <= LONGEST_KNOWN:
                known.add(name)
        return [pair for pair in pairs if pair[0] not in removed] if removed else pairs

    def may(self, sender: bytes, header: bytes) -> bool:
        """Whether `sender` may set this header; for a caller that remembers the answer."""
        return self._may(sender.decode("latin-1"), header.decode("latin-1"))

    def _may(self, sender: str, name: str) -> bool:
        family, lowered = kind(name), name.lower()
        if not family or lowered in self._believed:
            return True
        return family in self._believed and (
            sender == _PROXY or (sender == _SHARED and lowered.startswith("cf-"))
        )
