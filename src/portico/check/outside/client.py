"""A client that sends exact bytes and reads what comes back, within bounds: one connection at a time, no retries."""

from __future__ import annotations

import secrets
import socket
import ssl
import time
from contextlib import suppress

from msgspec import Struct

from portico import __version__
from portico.check.outside.target import Target, UnreachableError
from portico.errors import Problem
from portico.http import END, Headers, read_answer

SECONDS = 10.0
"""The longest time for one answer."""
_MOST_BYTES = 512 * 1024
_PATIENCE_SECONDS = 30.0
"""For all 429 of a site together."""
AGENT = f"Portico/{__version__} (portico check --url)"


class Answer(Struct, frozen=True):
    """What came back. `status` 0: no answer, and `silent` when the server neither answered nor closed in time."""

    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    silent: bool = False
    seconds: float = 0.0

    def header(self, name: str) -> str:
        """The first of that name; empty when there is none."""
        return next((value for one, value in self.headers if one.lower() == name.lower()), "")

    def all(self, name: str) -> list[str]:
        return [value for one, value in self.headers if one.lower() == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode("latin-1")

    @property
    def is_html(self) -> bool:
        return "html" in self.header("Content-Type") or self.body.lstrip()[:15].lower().startswith(
            (b"<!doctype", b"<html")
        )


class Client:
    """Asks one site. `asked` counts its requests; `mark` is a word that no site has by chance."""

    def __init__(self, target: Target, seconds: float = SECONDS) -> None:
        self.target = target
        self.seconds = seconds
        self.asked = 0
        self.mark = f"portico-check-{secrets.token_hex(4)}"
        self._patience = _PATIENCE_SECONDS
        self._tls = _any_certificate() if target.is_secure else None

    def get(self, path: str = "", *headers: str, method: str = "GET", host: str | None = None) -> Answer:
        """An ordinary request, with these further lines in its head. Where a limit says so, it waits and asks again."""
        request = self.head(path or self.target.path, *headers, method=method, host=host)
        answer = self.raw(request)
        while answer.status == 429 and self._patience > 0:
            asked_for = answer.header("Retry-After")
            pause = min(max(1.0, float(asked_for) if asked_for.isdecimal() else 1.0), self._patience)
            self._patience -= pause
            time.sleep(pause)
            answer = self.raw(request)
        return answer

    def head(self, path: str, *headers: str, method: str = "GET", host: str | None = None) -> bytes:
        host = self.target.authority if host is None else host
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"User-Agent: {AGENT}", "Accept: */*"]
        return "\r\n".join([*lines, *headers, "Connection: close", "", ""]).encode("latin-1")

    def raw(self, data: bytes, seconds: float = 0.0) -> Answer:
        """The first final answer to these bytes."""
        self.asked += 1
        begin, received, is_silent = time.monotonic(), b"", False
        give_up = begin + (seconds or self.seconds)
        try:
            with self.connect() as connection:
                with suppress(ConnectionError, ssl.SSLError):
                    connection.sendall(data)
                while not _is_whole(received, data) and len(received) < _MOST_BYTES:
                    connection.settimeout(max(0.01, give_up - time.monotonic()))
                    if not (more := connection.recv(65536)):
                        break
                    received += more
        except TimeoutError:
            is_silent = True
        except (ConnectionError, ssl.SSLError):
            pass
        return _answer(received, is_silent, time.monotonic() - begin)

    def connect(self) -> socket.socket:
        """Raises UnreachableError."""
        try:
            plain = socket.create_connection((self.target.address, self.target.port), self.seconds)
        except OSError as error:
            raise _unreachable(self.target, str(error)) from None
        if not self._tls:
            return plain
        try:
            return self._tls.wrap_socket(plain, server_hostname=self.target.host)
        except (OSError, ValueError) as error:
            plain.close()
            raise _unreachable(self.target, f"no TLS: {error}") from None


def _unreachable(target: Target, why: str) -> UnreachableError:
    hint = "does the site run, and does its port let you in?"
    return UnreachableError(
        Problem(target.url, f"no server answers at {target.address} port {target.port}: {why}", hint)
    )


def _any_certificate() -> ssl.SSLContext:
    """Certificates have their own probe."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _is_whole(received: bytes, request: bytes) -> bool:
    """Whether the first answer is complete, so that nobody has to wait for the server to close."""
    head, end, body = _without_interim(received).partition(END)
    if not end:
        return False
    try:
        status, _, headers = read_answer(head)
    except ValueError:
        return True
    named = {name.lower(): value for name, value in headers}
    if request.startswith(b"HEAD ") or status in (204, 304):
        return True
    if "chunked" in named.get("transfer-encoding", "").lower():
        return body.endswith(b"0\r\n\r\n")
    length = named.get("content-length", "")
    return length.isdecimal() and len(body) >= int(length)


def _without_interim(received: bytes) -> bytes:
    while received.startswith((b"HTTP/1.1 100", b"HTTP/1.1 102", b"HTTP/1.1 103")):
        received = received.partition(END)[2]
    return received


def _answer(received: bytes, is_silent: bool, seconds: float) -> Answer:
    head, end, body = _without_interim(received).partition(END)
    if not end:
        return Answer(silent=is_silent, seconds=seconds)
    try:
        status, _, headers = read_answer(head)
    except ValueError:
        return Answer(seconds=seconds)
    named = {name.lower(): value for name, value in headers}
    if "chunked" in named.get("transfer-encoding", "").lower():
        body = _dechunked(body)
    return Answer(status, headers, body, is_silent, seconds)


def _dechunked(body: bytes) -> bytes:
    """As far as it is there and can be read."""
    whole = b""
    while body:
        line, _, rest = body.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            break
        if size <= 0:
            break
        whole, body = whole + rest[:size], rest[size + 2 :]
    return whole
