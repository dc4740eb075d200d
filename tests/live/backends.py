"""Servers for an upstream, on loopback, whose behaviour a test changes while they serve."""

from __future__ import annotations

import socketserver
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from tests.support import clients, free_port

WELL, FAILING, HANGING, CUTTING = "well", "failing", "hanging", "cutting"


class _Server(socketserver.ThreadingMixIn, HTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: Any) -> None:
        """A client that has gone is no news."""


class Backend:
    """Answers its port; `mode` is what it does with a request, `hits` counts those that are no checks."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host, self.port, self.mode, self.hits, self._tls = (
            host,
            port or free_port(),
            WELL,
            Counter[str](),
            tls,
        )
        self.checked: list[str] = []
        self.let_go = threading.Event()
        self._server: _Server | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        self._server = _Server((self.host, self.port), self._handler())
        if self._tls:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Connections are refused from now on."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.headers["User-Agent"] == "Portico":
                    backend.checked.append(self.path)
                else:
                    backend.hits[self.command] += 1
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                if backend.mode == HANGING:
                    backend.let_go.wait(60)
                if backend.mode == CUTTING and self.path == "/cut":
                    return
                if self.path.startswith("/slow"):
                    time.sleep(1.5)
                body = f"{backend.host}:{backend.port}".encode()
                self.send_response(500 if backend.mode == FAILING else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@contextmanager
def backends(count: int) -> Iterator[list[Backend]]:
    with ExitStack() as stack:
        made = [Backend() for _ in range(count)]
        for backend in made:
            stack.callback(backend.stop)
            stack.callback(backend.let_go.set)
        yield made


def ask(port: int, method: str = "GET", path: str = "/") -> tuple[int, str]:
    """Status and body; status 0 for a connection that gave none."""
    asked = clients.ask(port, method, path, key="x")
    return asked.status, asked.said


class FastCgi(socketserver.BaseRequestHandler):
    """Answers a FastCGI request with the path it was asked for."""

    def handle(self) -> None:
        text, stream = b"", self.request.makefile("rb")
        while True:
            _, kind, _, size, padding = struct.unpack(">BBHHBx", stream.read(8))
            content = stream.read(size + padding)[:size]
            text += content if kind == 4 else b""
            if kind == 5 and not size:
                break
        words = b"fastcgi has REQUEST_URI" if b"REQUEST_URI" in text else b"nothing"
        out = b"Content-Type: text/plain\r\n\r\n" + words
        for kind, content in ((6, out), (6, b""), (3, bytes(8))):
            self.request.sendall(struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content)
