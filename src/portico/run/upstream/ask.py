"""Checks the health of one upstream server, in the protocol that the gateway uses with it."""

from __future__ import annotations

import asyncio
import ssl
import struct

from portico.http import request_head
from portico.link import uwsgi
from portico.plan.subjects import Health, Upstream, UpstreamServer
from portico.run.upstream.health import SILENT, Answer, status_of
from portico.run.upstream.names import LOOK_UPS

_LONGEST_HEAD = 1 << 16
_BEGIN, _PARAMS, _STDIN, _STDOUT = 1, 4, 5, 6
"""Types of FastCGI records, https://fastcgi-archives.github.io/FastCGI_Specification.html#S8"""


async def ask(server: UpstreamServer, upstream: Upstream, health: Health) -> Answer:
    """Its answer to one GET. Raises OSError, EOFError or ValueError; has no timeout of its own."""
    reader, writer = await _connect(server, upstream)
    try:
        writer.write(_question(server, upstream, health))
        await writer.drain()
        if server.protocol == "fastcgi":
            return await _fastcgi_status(reader)
        return status_of(await reader.readline())
    finally:
        writer.close()


async def _connect(
    server: UpstreamServer, upstream: Upstream
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    kind, _, path = server.address.partition(":")
    tls = _context(upstream.ca) if server.protocol == "https" else None
    name = upstream.tls_name or None if tls else None
    if kind == "unix":
        return await asyncio.open_unix_connection(path, ssl=tls, server_hostname=name)
    host, _, port = server.address.rpartition(":")
    addresses = await LOOK_UPS.of(host)
    return await asyncio.open_connection(addresses[0], int(port), ssl=tls, server_hostname=name)


def _context(ca: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def _question(server: UpstreamServer, upstream: Upstream, health: Health) -> bytes:
    if server.protocol in ("http", "https"):
        headers = (("Host", health.host), ("User-Agent", "Portico"), ("Connection", "close"))
        return request_head("GET", upstream.path, headers)
    variables = uwsgi.question(upstream.path, health.host, health.scheme)
    variables["SCRIPT_NAME"] = health.script_name
    return _fastcgi(variables) if server.protocol == "fastcgi" else uwsgi.encode(variables)


def _fastcgi(variables: dict[str, str]) -> bytes:
    pairs = b"".join(
        struct.pack(">II", len(name) | 1 << 31, len(value) | 1 << 31) + name + value
        for name, value in ((k.encode("latin-1"), v.encode("latin-1")) for k, v in variables.items())
    )
    begin = struct.pack(">HB5x", 1, 0)
    return b"".join(
        struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content
        for kind, content in ((_BEGIN, begin), (_PARAMS, pairs), (_PARAMS, b""), (_STDIN, b""))
    )


async def _fastcgi_status(reader: asyncio.StreamReader) -> Answer:
    """The status in a CGI head: 200 unless it says otherwise (RFC 3875, 6.3.3)."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
        _, kind, _, size, padding = struct.unpack(">BBHHBx", await reader.readexactly(8))
        content = (await reader.readexactly(size + padding))[:size]
        if kind == _STDOUT and not content:
            break
        head += content if kind == _STDOUT else b""
    for line in head.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"status" and value.split():
            return Answer(status=int(value.split()[0]))
    return Answer(status=200) if head else SILENT
