"""The control socket: a running site answers questions and takes orders, HTTP in and JSON lines out.

0600, so that only its own user and root get through; the commands are thin clients of it (`client`). An answer is
a stream of lines, one JSON object each, so that a reload can be watched step by step; it ends with the connection.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path

NAME = "control.sock"
ASK_SECONDS = 5.0
"""Who has connected and says nothing is not listened to for longer."""

Answers = Mapping[str, Callable[[], AsyncGenerator[object, None]]]
"""What can be asked, by its request line: "GET /status"."""


def path(runtime: str) -> str:
    return f"{runtime}/{NAME}"


async def listen(runtime: str, answers: Answers) -> asyncio.Server:
    """Begin to answer. Raises OSError."""
    return await asyncio.start_unix_server(lambda r, w: _converse(r, w, answers), sock=_bind(path(runtime)))


def _bind(where: str) -> socket.socket:
    Path(where).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # private from the first moment: a chmod would come too late
    try:
        listener.bind(where)
    finally:
        os.umask(before)
    return listener


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Answers) -> None:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            asked = await _request(reader)
        answer = answers.get(asked)
        if answer is None:
            writer.write(_head("404 Not Found") + _line({"error": f"{asked}: one of {', '.join(answers)}"}))
            return
        writer.write(_head("200 OK"))
        async with aclosing(answer()) as items:
            async for item in items:
                writer.write(_line(item))
                await writer.drain()
    except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
        pass  # whoever asked has gone, or does not speak HTTP
    finally:
        writer.close()


async def _request(reader: asyncio.StreamReader) -> str:
    """The method and the path; nothing else of a request matters here. Raises ValueError."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n")[0].decode("latin-1").split(" ")
    return f"{method} {target}"


def _head(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n".encode()


def _line(item: object) -> bytes:
    return json.dumps(item).encode() + b"\n"
