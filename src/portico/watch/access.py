"""Access control of observers: a password, and a Host that is this machine's own.

Loopback is no protection: every user of the machine can reach it, and so can a page in a browser by DNS rebinding.
So each endpoint requires a key, and checks the Host.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import socket
import urllib.parse
from collections.abc import Callable, Collection
from typing import NamedTuple

from portico.http import Request
from portico.place.names import known_hosts
from portico.reading import Reader
from portico.watch.http import Response

GUESS_SECONDS = 1.0
"""The delay after a wrong password; they are processed one after the other."""
MOST_GUESSES = 32
"""Wrong passwords that wait at once; more are refused at once, so that guesses use up nothing that others need."""
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Secret(NamedTuple):
    """The file whose first line is the password, and the site's names beside the machine's own."""

    file: str
    names: Collection[str] = ()
    reader: Reader = Reader()


class Lock:
    """Admits a client with the password, which is checked first: guesses never keep out a client that knows it."""

    def __init__(self, secret: Callable[[], Secret | None]) -> None:
        self._secret = secret
        """None: no client is admitted."""
        self._turn = asyncio.Lock()
        self._guesses = 0

    async def __call__(self, request: Request) -> Response | None:
        secret = self._secret()
        if secret is None:
            return Response("404 Not Found", body=b"nothing here\n")
        if not is_own_host(request.host, secret.names):
            return MISDIRECTED
        if _knows(request.headers.get("authorization", ""), _password(secret)):
            return None
        if "authorization" in request.headers:
            await self._slow_down()
        challenge = 'Basic realm="portico", charset="UTF-8"'
        return Response(
            "401 Unauthorized", body=b"a password, please\n", headers={"WWW-Authenticate": challenge}
        )

    async def _slow_down(self) -> None:
        if self._guesses >= MOST_GUESSES:
            return
        self._guesses += 1
        try:
            async with self._turn:
                await asyncio.sleep(GUESS_SECONDS)
        finally:
            self._guesses -= 1


class Ticket:
    """Admits the browser that was opened with the key, on this machine, at this port; it keeps it as a cookie.

    Browsers send a cookie of 127.0.0.1 to every port, and another port may be another user's: the cookie is valid
    only for a secret path.
    """

    def __init__(self, key: str, port: int) -> None:
        self._key = key
        self.path = f"/{_digest(key.encode()).hex()[:32]}/"
        self._hosts = [f"{name}:{port}" for name in _LOOPBACK]

    async def __call__(self, request: Request) -> Response | None:
        if request.headers.get("host") not in self._hosts:
            return MISDIRECTED
        given = dict(urllib.parse.parse_qsl(request.query)).get("key", "")
        if self._is_key(given):
            cookie = f"{_COOKIE}={self._key}; HttpOnly; SameSite=Strict; Path={self.path}"
            return Response("303 See Other", headers={"Location": self.path, "Set-Cookie": cookie})
        cookies = dict(
            pair.strip().partition("=")[::2] for pair in request.headers.get("cookie", "").split(";")
        )
        if self._is_key(cookies.get(_COOKIE, "")) and request.path.startswith(self.path):
            return None
        return Response("403 Forbidden", body=b"open the address that `portico dashboard` printed\n")

    def _is_key(self, text: str) -> bool:
        return _is_same(text.encode("utf-8", "surrogateescape"), self._key)


_COOKIE = "portico_dashboard"
MISDIRECTED = Response(
    "421 Misdirected Request",
    body=b"ask by an IP address, localhost, the name of this machine, or a domain of the site\n",
)


def is_own_host(host: str, names: Collection[str] = ()) -> bool:
    """Whether a Host without its port is an address, or a name of this machine or of the site.

    A page that points its own name here sends that name; an address cannot be pointed anywhere.
    """
    host = host.lower().rstrip(".")
    if host in (*_LOOPBACK, *names):
        return True
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return bool(host) and host in {name.lower() for name in (socket.gethostname(), *known_hosts())}
    return True


def _password(secret: Secret) -> str:
    try:
        return secret.reader.text(secret.file).partition("\n")[0].strip()
    except (OSError, ValueError):
        return ""


def _knows(authorization: str, password: str) -> bool:
    kind, _, words = authorization.partition(" ")
    if not password:
        return False
    if kind.lower() == "bearer":
        return _is_same(words.strip().encode("latin-1", "replace"), password)
    if kind.lower() != "basic":
        return False
    try:
        said = base64.b64decode(words, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return False
    return _is_same(said, password)


def _is_same(given: bytes, secret: str) -> bool:
    """Compares in constant time, for texts of any length."""
    return hmac.compare_digest(_digest(given), _digest(secret.encode()))


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
