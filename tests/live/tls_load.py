"""Clients that never retry, over TLS: half keep their connection, half shake hands for every request."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from typing import Self

from tests.live.tls import anyone


class Clients:
    """`failed` are handshakes and requests that did not come to an answer."""

    def __init__(self, port: int, count: int = 8, pause_seconds: float = 0.02) -> None:
        self.port, self.pause = port, pause_seconds
        self.done, self.handshakes, self.failed = 0, 0, list[str]()
        self._over, self._lock = threading.Event(), threading.Lock()
        self._threads = [
            threading.Thread(target=self._go, args=(number % 2 == 0,)) for number in range(count)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _go(self, is_kept: bool) -> None:
        connection = self._connection()
        while not self._over.is_set():
            try:
                is_new = connection.sock is None
                connection.request("GET", "/", headers={"Host": "shop.example"})
                answer = connection.getresponse()
                answer.read()
                with self._lock:
                    self.done += 1
                    self.handshakes += is_new
                    if answer.status != 200:
                        self.failed.append(f"status {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.failed.append(f"{'kept' if is_kept else 'fresh'}: {error!r}")
                connection.close()
            if not is_kept:
                connection.close()
            time.sleep(self.pause)
        connection.close()

    def _connection(self) -> http.client.HTTPSConnection:
        context = anyone()
        context.set_alpn_protocols(["http/1.1"])
        return _Named("127.0.0.1", self.port, timeout=60, context=context)


class _Named(http.client.HTTPSConnection):
    """Asks for shop.example, wherever it connects to."""

    _context: ssl.SSLContext

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._context.wrap_socket(self.sock, server_hostname="shop.example")
