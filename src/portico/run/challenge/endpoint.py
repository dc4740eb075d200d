"""Accepts solutions of puzzles on a socket behind the gateway, and issues passes. It does nothing else."""

from __future__ import annotations

import asyncio
import time
import urllib.parse
from collections.abc import Callable

from portico.http import END, Request, answer_head, read_request
from portico.plan.subjects import PlannedChallenge
from portico.run.challenge import puzzle
from portico.run.challenge.keys import Keys

COOKIE = "portico_pass"
_SECONDS = 5.0
_MOST_OPEN = 256
"""Concurrent connections; for further ones the gateway sends the browser the challenge again."""

Find = Callable[[], tuple[PlannedChallenge, Keys] | None]


class Endpoint:
    """`find` returns the current challenge: a reload may change or end it."""

    def __init__(self, find: Find, now: Callable[[], float] = time.time) -> None:
        self._find, self._now, self._open = find, now, 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handles one connection with one request."""
        self._open += 1
        try:
            if self._open > _MOST_OPEN:
                writer.write(_refused("503 Service Unavailable"))
            else:
                async with asyncio.timeout(_SECONDS):
                    request = read_request(await reader.readuntil(END))
                    writer.write(self._judged(request))
                    await writer.drain()
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            pass  # the client has closed the connection, or does not speak HTTP
        finally:
            self._open -= 1
            writer.close()

    def _judged(self, request: Request) -> bytes:
        found = self._find()
        if found is None:
            return _refused("404 Not Found")
        planned, keys = found
        try:
            said = dict(urllib.parse.parse_qsl(request.query, max_num_fields=8))
        except ValueError:
            return _refused("403 Forbidden")
        client, for_, now = request.headers.get("x-client", ""), said.get("client", ""), self._now()
        if not puzzle.is_same(client, for_):
            return _refused("403 Forbidden")
        if not puzzle.is_solved(keys, said.get("seed", ""), for_, said.get("nonces", ""), now):
            return _refused("403 Forbidden")
        cookie = (
            f"{COOKIE}={puzzle.passed(keys, client, now)}; Path={planned.path}; Max-Age={puzzle.PASS_SECONDS}; "
            "HttpOnly; SameSite=Lax"
        )
        cookie += "; Secure" if request.headers.get("x-scheme") == "https" else ""
        return answer_head("204 No Content", [("Set-Cookie", cookie), ("Connection", "close")])


def _refused(status: str) -> bytes:
    return answer_head(status, [("Content-Length", "0"), ("Connection", "close")])
