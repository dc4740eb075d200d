"""Clients that ask at a steady pace and never retry; what came of each request is written down."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and what came of it; times are time.monotonic(), `status` is 0 without a whole answer."""

    what: str
    client: int
    is_kept: bool
    key: str
    began: float
    ended: float
    status: int
    said: str
    """The body of the answer, or the error."""
    is_first: bool = False
    """Whether it was the first on its connection."""

    @property
    def is_good(self) -> bool:
        return self.status == 200

    @property
    def took(self) -> float:
        return self.ended - self.began

    def __str__(self) -> str:
        kind, said = "kept" if self.is_kept else "fresh", " ".join(self.said.split())[:80]
        return f"{self.what} ({kind}, {self.took:.2f} s): {self.status or ''} {said}".strip()


@dataclass(frozen=True)
class Profile:
    """How clients ask: `mix` in turn, every `kept_each`th of them on a connection it keeps (0: none of them)."""

    mix: Sequence[str] = ("GET /",)
    count: int = 8
    kept_each: int = 2
    pause_seconds: float = 0.02


VISITORS = Profile()
"""Half of them keep their connection, as browsers do, the others open one for each request."""
WRITERS = Profile(("GET /", "GET /", "POST /"))
"""The same; every third request is a POST."""
STRANGERS = Profile(count=4, kept_each=0, pause_seconds=0.005)
"""Each request on a connection of its own, without much of a pause."""
STRANGERS_WHO_POST = replace(STRANGERS, mix=("POST /",))
MIXED = Profile(("GET /", "POST /", "GET /work"), pause_seconds=0.03)
"""The one-line view, a POST that is written down before it answers, and a view that takes a moment."""


class Clients:
    """Clients of that profile, each on a thread, from the beginning of its block to the end."""

    def __init__(
        self,
        port: int,
        profile: Profile = VISITORS,
        *,
        host: str = "",
        tls: ssl.SSLContext | None = None,
        **changed: Any,
    ) -> None:
        self.port, self.host, self.tls = port, host, tls
        self.profile = replace(profile, **changed)
        self.asked: list[Asked] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._go, args=(n,)) for n in range(self.profile.count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def failed(self) -> list[Asked]:
        return [asked for asked in self.asked.copy() if not asked.is_good]

    @property
    def refused(self) -> list[Asked]:
        """Those whose connection was refused."""
        return [asked for asked in self.failed if "ConnectionRefusedError" in asked.said]

    @property
    def good(self) -> list[Asked]:
        return [asked for asked in self.asked.copy() if asked.is_good]

    @property
    def answers(self) -> Counter[str]:
        """How often which text was answered, with whatever status."""
        return Counter(asked.said for asked in self.asked.copy() if asked.status)

    def statuses(self, moment: float = 0.0) -> Counter[int]:
        """Those of requests that began after that moment."""
        return Counter(asked.status for asked in self.asked.copy() if asked.began >= moment)

    def _go(self, index: int) -> None:
        each = self.profile.kept_each
        kept = _connection(self.port, self.host, self.tls) if each and index % each else None
        turn = index
        while not self._over.is_set():
            turn += 1
            method, _, path = self.profile.mix[turn % len(self.profile.mix)].partition(" ")
            key = f"{index}-{turn}"
            self.asked.append(
                ask(self.port, method, path, kept, client=index, key=key, host=self.host, tls=self.tls)
            )
            time.sleep(self.profile.pause_seconds)
        if kept is not None:
            kept.close()


def ask(
    port: int,
    method: str = "GET",
    path: str = "/",
    kept: http.client.HTTPConnection | None = None,
    *,
    client: int = 0,
    key: str = "",
    host: str = "",
    tls: ssl.SSLContext | None = None,
) -> Asked:
    """Ask once. A POST's body is its key."""
    connection = kept or _connection(port, host, tls)
    headers = {"Host": host} if host else {}
    is_first, status, said, began = connection.sock is None, 0, "", time.monotonic()
    try:
        connection.request(method, path, key if method == "POST" else None, headers)
        response = connection.getresponse()
        said, status = response.read().decode(), response.status
    except (OSError, http.client.HTTPException) as error:
        said = repr(error)
        connection.close()
    ended = time.monotonic()
    if kept is None:
        connection.close()
    return Asked(f"{method} {path}", client, kept is not None, key, began, ended, status, said, is_first)


def _connection(port: int, host: str, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    return _Named(host, port, tls)


def talk(port: int, path: str, host: str = "127.0.0.1") -> ClientConnection:
    """A WebSocket; it may stay silent for as long as the machine is busy."""
    url = f"ws://{host}:{port}{path}" if host == "127.0.0.1" else f"ws://{host}{path}"
    plain = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
    return connect(url, sock=plain, open_timeout=PATIENCE_SECONDS, ping_interval=None)


class _Named(http.client.HTTPSConnection):
    """Asks this machine for that name."""

    def __init__(self, name: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__("127.0.0.1", port, timeout=PATIENCE_SECONDS, context=context)
        self._name, self._tls = name, context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)
