"""Answers for observers: one answer a connection, and restrictions for browsers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from portico.http import answer_head

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Response(NamedTuple):
    status: str
    type: str = "text/plain; charset=utf-8"
    body: bytes = b""
    headers: Mapping[str, str] = {}


def head(response: Response, *, has_length: bool = True) -> bytes:
    headers = {"Content-Type": response.type, **HEADERS, **response.headers, "Connection": "close"}
    if has_length:
        headers["Content-Length"] = str(len(response.body))
    return answer_head(response.status, headers.items())
