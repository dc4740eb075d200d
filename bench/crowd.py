"""Clients that come at a rate of their own, whatever the server does (an open loop), each from an address of its own.

One thread and one epoll: a request costs it some 80 us. A client opens a connection, asks once, and leaves when it has
waited for as long as it is patient. `lag_seconds` tells whether the generator itself kept up.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles

PATIENCE_SECONDS = 2.0
_IP_BIND_ADDRESS_NO_PORT = 24
_POLL_SECONDS = 0.002
_UNDER_WAY = (0, errno.EINPROGRESS)


@dataclass
class Seen:
    """What became of some requests. `useful` has the seconds of each whole answer of 200 that came in time."""

    useful: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    """Seconds until another status."""
    left: int = 0
    """Clients that gave up, or got no answer at all."""
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def all(self) -> int:
        return len(self.useful) + len(self.refused) + self.left

    @property
    def success(self) -> float:
        return len(self.useful) / self.all if self.all else 0.0

    def p99_ms(self) -> float:
        return 1000 * percentile(self.useful, 99)


@dataclass
class Flow:
    """Requests for `path`: `rate` a second from `begins` to `ends`, or `clients` that ask again and again."""

    path: str
    begins: float
    ends: float
    sources: Sequence[str]
    rate: float = 0.0
    clients: int = 0
    seen: Seen = field(default_factory=Seen)
    sent: int = 0

    def due(self, now: float) -> int:
        if not self.begins <= now < self.ends:
            return 0
        if self.clients:
            return max(0, self.clients - self.sent)
        return int((now - self.begins) * self.rate) - self.sent


def percentile(values: Sequence[float], which: int) -> float:
    """0 where there is nothing."""
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=100, method="inclusive")[which - 1]


def addresses(network: int, count: int) -> list[str]:
    """So many addresses of loopback: 127.NETWORK.x.y."""
    return [f"127.{network}.{number >> 8}.{number & 255}" for number in range(1, count + 1)]


class Crowd:
    """Makes the requests of several flows at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._open: dict[int, _Client] = {}
        self._by_age: deque[_Client] = deque()
        self.lag_seconds = 0.0
        """The longest time between two looks."""

    def run(self, *flows: Flow) -> None:
        """Until the last request has got its answer, or its client has left."""
        began = looked = time.monotonic()
        last = max(flow.ends for flow in flows)
        while (now := time.monotonic()) - began < last or self._open:
            self.lag_seconds = max(self.lag_seconds, now - looked)
            looked = now
            for flow in flows:
                for _ in range(flow.due(now - began)):
                    self._begin(flow)
            for descriptor, _ in self._epoll.poll(_POLL_SECONDS):
                self._moved(self._open[descriptor], now - began)
            self._leave(time.monotonic())

    def _begin(self, flow: Flow) -> None:
        source = flow.sources[flow.sent % len(flow.sources)]
        flow.sent += 1
        client = _Client(flow, source)
        if client.socket.connect_ex(("127.0.0.1", self._port)) not in _UNDER_WAY:
            flow.seen.left += 1
            client.socket.close()
            return
        self._open[client.socket.fileno()] = client
        self._by_age.append(client)
        self._epoll.register(client.socket, select.EPOLLIN | select.EPOLLOUT)

    def _moved(self, client: _Client, now: float) -> None:
        try:
            if not client.has_asked:
                client.ask()
                self._epoll.modify(client.socket, select.EPOLLIN)
                return
            if client.has_more():
                return
        except BlockingIOError:
            return
        except OSError:
            client.parts.clear()
        self._end(client)
        client.count()
        if client.flow.clients and now < client.flow.ends:
            client.flow.sent -= 1  # and asks again

    def _leave(self, now: float) -> None:
        while self._by_age and (self._by_age[0].is_done or now - self._by_age[0].began > PATIENCE_SECONDS):
            client = self._by_age.popleft()
            if not client.is_done:
                self._end(client)
                client.flow.seen.left += 1
                client.flow.sent -= bool(client.flow.clients)

    def _end(self, client: _Client) -> None:
        del self._open[client.socket.fileno()]
        client.is_done = True
        client.socket.close()


class _Client:
    def __init__(self, flow: Flow, source: str) -> None:
        self.flow, self.began = flow, time.monotonic()
        self.parts: list[bytes] = []
        self.has_asked = self.is_done = False
        self.socket = socket.socket()
        self.socket.setblocking(False)
        # A port is chosen at the connect: an address has enough of them.
        self.socket.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.bind((source, 0))

    def ask(self) -> None:
        self.has_asked = True
        self.socket.send(
            f"GET {self.flow.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )

    def has_more(self) -> bool:
        part = self.socket.recv(1 << 16)
        self.parts.append(part)
        return bool(part)

    def count(self) -> None:
        head, seen = b"".join(self.parts).split(b" ", 2), self.flow.seen
        if len(head) < 3 or not head[1].isdigit():
            seen.left += 1
            return
        status = int(head[1])
        seen.statuses[status] = seen.statuses.get(status, 0) + 1
        (seen.useful if status == 200 else seen.refused).append(time.monotonic() - self.began)
