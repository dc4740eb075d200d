"""Checks the app's health: on a release's private socket as the gateway would, and through the gateway."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial

from msgspec import Struct

from portico.http import read_answer, request_head
from portico.link import proxy_line, uwsgi
from portico.plan.subjects import Health
from portico.plan.web.entry.health import HEALTH
from portico.run.background import in_background
from portico.values import Address

ASK_SECONDS = 5.0
"""The timeout of one question. While a server boots, a question waits in its socket's queue and is answered as soon
as possible, faster than by polling; the limit is for a worker that hangs with it."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 1.0
LONGEST_UP_SECONDS = 5.0
"""The interval for an app that answers with errors: each may write a traceback to its log."""
BETWEEN_ANSWERS_SECONDS = 0.05
SERVER_ERROR, NOT_READY = 500, 503
"""From this status on the app is unhealthy; a 404 is the answer of a working app."""


class Answer(Struct, frozen=True):
    """A status, or the reason why there is none."""

    status: int = 0
    words: str = ""
    """Why there is no answer; for an error: the question, and the beginning of the body."""
    id: str = ""
    """The ID of the question, to find the app's output about it."""

    @property
    def is_well(self) -> bool:
        return 0 < self.status < SERVER_ERROR

    @property
    def is_up(self) -> bool:
        """An error by the app itself: it runs, and fails. With 503 an app says that it is not ready yet."""
        return self.status >= SERVER_ERROR and self.status != NOT_READY

    def __str__(self) -> str:
        return f"status {self.status}{self.words}" if self.status else self.words


_HEAD_BYTES, _BODY_BYTES, _BODY_SECONDS, _LINE = 1 << 17, 2048, 1.0, 200
_TAG = re.compile(r"<(style|script|!--)\b.*?(</\1>|-->)|<[^>]*>", re.DOTALL | re.IGNORECASE)

Ask = Callable[[], Awaitable[Answer]]


async def until_well(
    ask: Ask, answers: int, report: Callable[[Answer], None], *, until_up: bool = False
) -> Answer:
    """Ask until this many good answers came in a row, and return the last; `report` gets every other one.

    With `until_up`, an error by the app itself also ends the asking, and is returned.
    """
    good, pause = 0, FIRST_PAUSE_SECONDS
    while True:
        answer = await in_time(ask)
        good = good + 1 if answer.is_well else 0
        if good == answers or (until_up and answer.is_up):
            return answer
        if answer.is_well:
            await asyncio.sleep(BETWEEN_ANSWERS_SECONDS)
            continue
        report(answer)
        await asyncio.sleep(pause)
        longest = LONGEST_UP_SECONDS if answer.is_up else LONGEST_PAUSE_SECONDS
        pause = min(longest, pause * (2 if answer.is_up else 1.5))


async def in_time(ask: Ask) -> Answer:
    """The answer, or an answer that says there is none."""
    try:
        return await asyncio.wait_for(ask(), ASK_SECONDS)
    except TimeoutError:
        return Answer(words=f"no answer within {ASK_SECONDS:g} s")
    except (OSError, EOFError, ValueError, RuntimeError) as error:  # RuntimeError: "can't start new thread"
        return Answer(words=str(error) or type(error).__name__)


async def ask_server(path: str, health: Health) -> Answer:
    """One question on a release's private socket, in the gateway's protocol."""
    if health.is_http:
        name = secrets.token_hex(16)
        return await _ask_http(
            await asyncio.open_unix_connection(path), health.script_name + health.path, health, name=name
        )
    asked, name = health.script_name + health.path, secrets.token_hex(16)
    question = partial(
        uwsgi.ask,
        path,
        asked,
        host=health.host,
        scheme=health.scheme,
        timeout=ASK_SECONDS,
        # The time of the question: an app that starts too late skips a question that was given up.
        variables={
            "SCRIPT_NAME": health.script_name,
            "PORTICO_MSEC": f"{time.time():.3f}",
            "HTTP_X_REQUEST_ID": name,
        },
        limit=0,  # the head is the answer; a body may be an endless stream
        error_limit=_BODY_BYTES,
    )
    try:
        answer = await in_background(question)
    except uwsgi.AskError as error:
        return Answer(words=error.problems[0].what)
    return Answer(answer.status, _to(asked, answer.status, answer.body), name)


async def ask_gateway(
    addresses: Sequence[Address],
    health: Health,
    proxied: Collection[Address] = (),
    routed: Sequence[str] = (),
    *,
    is_alone: bool = False,
    is_closed: bool = False,
) -> Answer:
    """One question through the gateway, on the first public address; `proxied` addresses need a PROXY line first.
    A site without an address is asked at one of its sockets, `routed`.

    With `is_alone` the gateway itself answers: it refuses TRACE (405) before it selects an upstream. A site that
    `is_closed` for maintenance answers 503 where the gateway has no health path of its own: any answer will do.
    """
    if addresses:
        connection = await asyncio.open_connection(addresses[0].near.host, addresses[0].port)
    elif routed:
        connection = await asyncio.open_unix_connection(routed[0])
    else:
        return Answer(status=200)  # a gateway whose sites are all gone
    if addresses and addresses[0] in proxied:
        connection[1].write(proxy_line.OWN)
    answer = await _ask_http(connection, health.gateway_path, health, "TRACE" if is_alone else "GET")
    is_any = health.any_answer or (is_closed and health.gateway_path != HEALTH)
    return Answer(status=200) if answer.status and is_any else answer


async def _ask_http(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    path: str,
    health: Health,
    method: str = "GET",
    name: str = "",
) -> Answer:
    reader, writer = connection
    headers = [("Host", health.host), ("User-Agent", "Portico"), ("Connection", "close")]
    headers += [("X-Request-ID", name)] if name else []
    try:
        writer.write(request_head(method, path, headers))
        answer = status_of(await reader.readline())
        if answer.status < SERVER_ERROR or not name:
            return answer
        return Answer(answer.status, _to(path, answer.status, await _body(reader)), name)
    finally:
        writer.close()


async def _body(reader: asyncio.StreamReader) -> bytes:
    """The beginning of an error's body, as far as it arrives soon."""
    text = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while (len(text) < _HEAD_BYTES and len(text.partition(b"\r\n\r\n")[2]) < _BODY_BYTES) and (
                more := await reader.read(_BODY_BYTES)
            ):
                text += more
    except TimeoutError:
        pass
    head, _, body = text.partition(b"\r\n\r\n")
    return body.partition(b"\r\n")[2] if b"chunked" in head.lower() else body


def _to(path: str, status: int, body: bytes) -> str:
    """The question, and the first visible line in the body of an error."""
    if status < SERVER_ERROR:
        return ""
    text = _TAG.sub("", body[:_BODY_BYTES].decode(errors="replace"))
    first = next((line for line in map(str.strip, text.splitlines()) if line), "")[:_LINE]
    return f' to GET {path}: "{first}"' if first else f" to GET {path}"


SILENT = Answer(words="the connection was closed without an answer")


def status_of(line: bytes) -> Answer:
    """The status in the first line of an answer."""
    if not line:
        return SILENT
    try:
        return Answer(status=read_answer(line)[0])
    except ValueError as error:
        return Answer(words=str(error))
