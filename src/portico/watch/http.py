"""As much of HTTP as an answer to observers needs: GET, one answer a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Request(NamedTuple):
    """`headers` by lower-case name."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]

    @property
    def host(self) -> str:
        """The Host without its port."""
        host = self.headers.get("host", "")
        name, colon, port = host.rpartition(":")
        return name if colon and port.isdigit() else host


class Response(NamedTuple):
    status: str
    type: str = "text/plain; charset=utf-8"
    body: bytes = b""
    headers: Mapping[str, str] = {}


async def read(reader: asyncio.StreamReader) -> Request:
    """The head of a request; a body would be nobody's. Raises ValueError."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.lower(): value.strip(" \t") for name, _, value in pairs}
    path, _, query = target.partition("?")
    return Request(method, path, query, headers)


def head(response: Response, *, has_length: bool = True) -> bytes:
    headers = {"Content-Type": response.type, **HEADERS, **response.headers, "Connection": "close"}
    if has_length:
        headers["Content-Length"] = str(len(response.body))
    lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
