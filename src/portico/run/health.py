"""Ask the app whether it is well: over a generation's private socket as nginx would, and through nginx."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from portico.link import proxy_line, uwsgi
from portico.plan.model import Health
from portico.run.background import in_background
from portico.values import Address

ASK_SECONDS = 5.0
"""One question may take this long. While a server boots, a question waits in its socket's queue and is
answered at the instant it can be, which no polling beats; the limit is for a worker that hangs with it."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 1.0
BETWEEN_ANSWERS_SECONDS = 0.05
SERVER_ERROR = 500
"""From here on a status says that the app is not well; a 404 is the answer of an app that works."""


@dataclass(frozen=True)
class Answer:
    """A status, or the words for why there is none."""

    status: int = 0
    words: str = ""

    @property
    def is_well(self) -> bool:
        return 0 < self.status < SERVER_ERROR

    def __str__(self) -> str:
        return f"status {self.status}" if self.status else self.words


Ask = Callable[[], Awaitable[Answer]]


async def until_well(ask: Ask, answers: int, report: Callable[[Answer], None]) -> None:
    """Ask until that many good answers came in a row; `report` hears of every other one."""
    good, pause = 0, FIRST_PAUSE_SECONDS
    while good < answers:
        answer = await _in_time(ask)
        if answer.is_well:
            good += 1
            await asyncio.sleep(BETWEEN_ANSWERS_SECONDS if good < answers else 0)
        else:
            good = 0
            report(answer)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE_SECONDS, pause * 1.5)


async def _in_time(ask: Ask) -> Answer:
    try:
        return await asyncio.wait_for(ask(), ASK_SECONDS)
    except TimeoutError:
        return Answer(words=f"no answer within {ASK_SECONDS:g} s")
    except (OSError, EOFError, ValueError) as error:
        return Answer(words=str(error) or type(error).__name__)


async def ask_server(path: str, health: Health) -> Answer:
    """One question over a generation's private socket, in nginx's words."""
    if health.is_http:
        return await _ask_http(
            await asyncio.open_unix_connection(path), health.script_name + health.path, health
        )
    question = partial(
        uwsgi.ask,
        path,
        health.script_name + health.path,
        host=health.host,
        scheme=health.scheme,
        timeout=ASK_SECONDS,
        variables={"SCRIPT_NAME": health.script_name},
        limit=0,  # the head is the answer; a body may be an endless stream
    )
    try:
        return Answer((await in_background(question)).status)
    except uwsgi.AskError as error:
        return Answer(words=error.problems[0].what)


async def ask_gateway(
    addresses: Sequence[Address], health: Health, proxied: Collection[Address] = ()
) -> Answer:
    """One question through nginx, on the first address people use; `proxied` want a PROXY line first."""
    if not addresses:
        return Answer(status=200)  # a gateway whose sites are all gone
    connection = await asyncio.open_connection(addresses[0].near.host, addresses[0].port)
    if addresses[0] in proxied:
        connection[1].write(proxy_line.OWN)
    answer = await _ask_http(connection, health.gateway_path, health)
    return Answer(status=200) if answer.status and health.any_answer else answer


async def _ask_http(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: str, health: Health
) -> Answer:
    reader, writer = connection
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {health.host}\r\nConnection: close\r\n\r\n".encode())
        return _status(await reader.readline())
    finally:
        writer.close()


def _status(line: bytes) -> Answer:
    words = line.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return Answer(
            words="the connection was closed without an answer" if not line else f"not HTTP: {line!r}"
        )
    return Answer(status=int(words[1]))
