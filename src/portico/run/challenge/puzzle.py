"""Puzzles and passes. Pure.

A puzzle is the half minute in which it was made, signed: it cannot be solved in advance. A solution and its pass
are valid for the network of one address only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable

from portico.plan.web.app.challenge import PARTS, ZERO_BITS
from portico.run.challenge.keys import Key, Keys

EVERY_SECONDS = 30
FRESH_SECONDS = 300
"""The largest age of a puzzle: a page may wait in a background tab."""
PASS_SECONDS = 12 * 3600
_SEED = re.compile(r"(\d{10})\.([\w-]{22})", re.ASCII)
_NONCES = re.compile(rf"\d{{1,9}}(?:\.\d{{1,9}}){{{PARTS - 1}}}", re.ASCII)
_SIGNATURE_BYTES = 16


def seed(keys: Keys, now: float) -> str:
    """The puzzle of that moment."""
    when = str(int(now) // EVERY_SECONDS * EVERY_SECONDS)
    return f"{when}.{_signature(keys.current, when)}"


def is_solved(keys: Keys, said: str, client: str, nonces: str, now: float) -> bool:
    """Whether this solves that puzzle for that address, and the puzzle is authentic and current."""
    found = _SEED.fullmatch(said)
    if found is None or not _NONCES.fullmatch(nonces) or len(client) > 45:
        return False
    if not -EVERY_SECONDS <= now - int(found[1]) <= FRESH_SECONDS:
        return False
    if not any(hmac.compare_digest(_signature(key, found[1]), found[2]) for key in keys.all):
        return False
    begin = hashlib.sha256(f"{said} {client}".encode()).hexdigest()[:32]
    return all(_is_part(begin, number, nonce) for number, nonce in enumerate(nonces.split(".")))


def passed(keys: Keys, client: str, now: float) -> str:
    """A pass for the network of that address. Raises ValueError."""
    until = f"{int(now) + PASS_SECONDS}"
    key = keys.current
    text = b" ".join((until.encode(), network(client), key.secret.encode()))
    signature = hashlib.md5(text, usedforsecurity=False).digest()  # The gateway's secure_link can verify it
    return f"{key.name}{until}.{_base64(signature)}"


def network(client: str) -> bytes:
    """The network of a client: an IPv4 address, or an IPv6 /64, as in the gateway. Raises ValueError."""
    address = ipaddress.ip_address(client)
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped.packed if address.ipv4_mapped else address.packed[:8]
    return address.packed


def is_same(client: str, other: str) -> bool:
    """Whether both addresses count as one client."""
    try:
        return network(client) == network(other)
    except ValueError:
        return False


def solution(said: str, client: str) -> str:
    """Solves a puzzle as a browser would; for tests of the challenge without one."""
    begin = hashlib.sha256(f"{said} {client}".encode()).hexdigest()[:32]
    return ".".join(_first(begin, number, range(10**9)) for number in range(PARTS))


def _first(begin: str, number: int, tried: Iterable[int]) -> str:
    return next(str(nonce) for nonce in tried if _is_part(begin, number, str(nonce)))


def _is_part(begin: str, number: int, nonce: str) -> bool:
    first = hashlib.sha256(f"{begin} {number} {nonce}".encode()).digest()[:4]
    return int.from_bytes(first) >> (32 - ZERO_BITS) == 0


def _signature(key: Key, text: str) -> str:
    return _base64(hmac.digest(key.secret.encode(), f"puzzle {text}".encode(), "sha256")[:_SIGNATURE_BYTES])


def _base64(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
