"""Something between certbot and Pebble that is out of sorts: answers of its own, or late ones."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.acme import Authority
from tests.support import free_port


@dataclass
class Between:
    """The next `refuse` requests to a path with that word are answered with `status`; all come `seconds` late.

    With `profiles` the directory advertises them, and an order of another is refused, as Let's Encrypt does it.
    """

    url: str
    word: str = "/finalize-order/"
    refuse: int = 0
    status: int = 500
    seconds: float = 0.0
    refused: list[str] = field(default_factory=list)
    profiles: tuple[str, ...] = ()
    ordered: list[str] = field(default_factory=list)
    """The profile of each order."""

    def changed(self, path: str, body: bytes) -> bytes:
        if not self.profiles or path != "/dir":
            return body
        found = json.loads(body)
        found.setdefault("meta", {})["profiles"] = {
            name: f"https://ca.example/{name}" for name in self.profiles
        }
        return json.dumps(found).encode()

    def refusal(
        self, path: str, body: bytes, client: httpx.Client
    ) -> tuple[int, dict[str, str], bytes] | None:
        """The answer to a request that is not passed on."""
        if self.refuse and self.word in path:
            self.refuse -= 1
            self.refused.append(path)
            return self.status, {"Content-Type": "text/plain"}, b"out of sorts"
        if self.profiles and path == "/order-plz" and self.is_unknown(body):
            nonce = client.head("/nonce-plz").headers["Replay-Nonce"]
            kind = {"Content-Type": "application/problem+json", "Replay-Nonce": nonce}
            return 400, kind, json.dumps(_UNKNOWN).encode()
        return None

    def is_unknown(self, body: bytes) -> bool:
        """Whether that order is for a profile that is not there."""
        payload = json.loads(body)["payload"]
        profile = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("profile", "")
        self.ordered.append(profile)
        return bool(profile) and profile not in self.profiles


_UNKNOWN = {
    "type": "urn:ietf:params:acme:error:invalidProfile",
    "detail": "profile not recognized",
    "status": 400,
}


@contextmanager
def between(ca: Authority) -> Iterator[Between]:
    """Its `url` is that of an ACME directory, whose own addresses lead here, too."""
    port = free_port()
    told = Between(f"https://127.0.0.1:{port}/dir")
    client = httpx.Client(verify=False, base_url=f"https://127.0.0.1:{ca.acme}", timeout=60)

    class Handler(http.server.BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            time.sleep(told.seconds)
            if refusal := told.refusal(self.path, body, client):
                self._answer(*refusal)
                return
            headers = {name: value for name, value in self.headers.items() if name != "Connection"}
            answer = client.request(self.command, self.path, content=body, headers=headers)
            self._answer(answer.status_code, dict(answer.headers), told.changed(self.path, answer.content))

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def __getattr__(self, name: str) -> Any:
            """do_GET and the others."""
            if name.startswith("do_"):
                return self._pass
            raise AttributeError(name)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca.directory / "cert.pem", ca.directory / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        client.close()
