"""The control socket: a running site answers questions and runs commands; HTTP in, JSON lines out.

Its mode is 0600, so only its own user and root can connect; the commands are thin clients (`client`). An answer is
a stream of lines, one JSON object each, so that a reload can be watched step by step; it ends with the connection.
Where the gateway has the same user, as in a container, an app can lead it here with a link in the place of its own
socket: what a gateway passes on is the words of a client, and no command.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import shutil
import urllib.parse
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing

import msgspec

from portico.errors import PorticoError
from portico.http import END, answer_head, read_request
from portico.link import private_socket
from portico.plan import paths
from portico.protocol.commands import Handler

ASK_SECONDS = 5.0
"""A client that connects and sends nothing is disconnected after this time."""

_LONGEST_REQUEST = 1 << 16
"""In bytes; asyncio's limit for finding the end of a head."""
_REST_SECONDS = 0.5
"""How long to read and discard the rest of a request that is too long."""
_OF_A_GATEWAY = "x-forwarded-for"
"""nginx and httpd send it with each request, whatever the client sends."""
_PASSED_ON = "a gateway has passed this request on: commands come from portico alone"
_TOO_LONG = f"that is too long: a command and its words may have {_LONGEST_REQUEST >> 10} KiB"

Parameters = Mapping[str, str]
"""The parameters of a request's query, by name."""


def path(runtime: str) -> str:
    return paths.control(runtime)


async def listen(where: str, handlers: Iterable[Handler], user: str = "") -> asyncio.Server:
    """Start to answer at that path; `user` is the user with access besides root. Raises OSError."""
    answers = {handler.command.name: handler for handler in handlers}
    listener = private_socket.bind(where)
    if user:
        shutil.chown(where, user)
    return await asyncio.start_unix_server(
        lambda r, w: _converse(r, w, answers), sock=listener, limit=_LONGEST_REQUEST
    )


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Mapping[str, Handler]
) -> None:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            request = read_request(await reader.readuntil(END))  # the rest of it is ignored
        if _OF_A_GATEWAY in request.headers:
            writer.write(_head("403 Forbidden") + _error(_PASSED_ON))
            return
        if _has_left(writer):
            return  # the client has given up on a command that it sent while Portico was stopped by a signal
        query = urllib.parse.parse_qsl(request.query, keep_blank_values=True)
        async for piece in _reply(f"{request.method} {request.path}", dict(query), answers):
            writer.write(piece)
            await writer.drain()
    except asyncio.LimitOverrunError:
        await _refuse_long(reader, writer)
    except (OSError, EOFError, TimeoutError, ValueError):
        pass  # the client has closed the connection, or does not speak HTTP
    finally:
        writer.close()


def _has_left(writer: asyncio.StreamWriter) -> bool:
    """Whether the client closed the connection completely; a half-closed one does not count."""
    poll = select.poll()
    poll.register(writer.get_extra_info("socket").fileno(), 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


async def _refuse_long(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Unread input would reset the connection, and lose the answer.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_REST_SECONDS):
            while await reader.read(_LONGEST_REQUEST):
                pass
    writer.write(_head("431 Request Header Fields Too Large") + _error(_TOO_LONG))


async def _reply(
    asked: str, parameters: Parameters, answers: Mapping[str, Handler]
) -> AsyncGenerator[bytes, None]:
    handler = answers.get(asked)
    if handler is None:
        yield _head("404 Not Found") + _error(f"{asked}: one of {', '.join(answers)}")
        return
    takes = [field.encode_name for field in msgspec.structs.fields(handler.command.args)]
    if unknown := [name for name in parameters if name not in takes]:
        known = f"it takes {', '.join(takes)}" if takes else "it takes none"
        yield _head("400 Bad Request") + _error(f"{asked}: unknown parameter {unknown[0]!r}; {known}")
        return
    try:
        args = msgspec.convert(parameters, handler.command.args, strict=False)
    except msgspec.ValidationError as error:
        yield _head("400 Bad Request") + _error(f"{asked}: {error}")
        return
    head = _head("200 OK")
    async with aclosing(handler.give(args)) as items:
        try:
            async for item in items:
                yield head + _line(item)
                head = b""
        except PorticoError as error:
            yield (head and _head("400 Bad Request")) + _error(str(error))
        else:
            yield head


def _head(status: str) -> bytes:
    return answer_head(status, (("Content-Type", "application/x-ndjson"), ("Connection", "close")))


def _line(item: object) -> bytes:
    return json.dumps(msgspec.to_builtins(item)).encode() + b"\n"


def _error(what: str) -> bytes:
    return _line({"error": what})
