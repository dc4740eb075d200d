"""Asks a running Portico, over its control socket."""

from __future__ import annotations

import asyncio
import select
import socket
import time
import urllib.parse
from collections.abc import AsyncGenerator, Iterator
from itertools import islice
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from portico.decoding import UnreadableError, fields
from portico.errors import PorticoError, Problem
from portico.http import END, read_answer, request_head
from portico.protocol.commands import Command
from portico.run.control import server as control
from portico.run.disk import lock
from portico.run.processes import proc

A = TypeVar("A", bound=Struct)
R = TypeVar("R")

_LONGEST_LINE = 1 << 25
"""The largest line; the history of a site is a hundredth of that."""

_OK = 200
_LONGEST_HEAD, _MOST_HEADERS = 1 << 16, 100
"""The size of a line in bytes, and the number of lines."""
_LOOK_SECONDS = 1.0
"""How often to check whether the answering Portico was stopped by a signal."""
_STOPPED = frozenset("Tt")
"""Stopped states in proc_pid_stat(5): by a signal, and by a debugger."""


def is_stopped(runtime: str) -> bool:
    """Whether the Portico of that directory is stopped by a signal or a debugger, so that it cannot answer."""
    try:
        running = lock.running(runtime)
    except OSError:
        return False  # another user's: the question itself reports that
    found = proc.entry(running.pid) if running and running.pid else None
    return found is not None and found.state in _STOPPED


def refuse_stopped(runtime: str) -> None:
    """Raises PorticoError if it is stopped."""
    running = lock.running(runtime) if is_stopped(runtime) else None
    if running:
        what = f"Portico, pid {running.pid}, is stopped (SIGSTOP or a debugger) and answers no command; nginx serves on"
        raise PorticoError(Problem(runtime, what, f"continue it: kill -CONT {running.pid}"))


_WRONG = "it does not answer as it should"
_OTHER_VERSION = "a Portico of another version runs there: restart it"
_NOT_HERE = "start it: portico run\nor see what runs elsewhere: portico status --all"


def ask(runtime: str, command: Command[A, R], args: A | None = None) -> Iterator[R]:
    """The answer, as it arrives. Raises PorticoError if nothing runs there or the request is refused."""
    method, path = command.name.split(" ")
    for line in lines(runtime, method, path, **_query(args)):
        yield _read(runtime, command, line)


def lines(runtime: str, method: str, path: str, /, **parameters: str) -> Iterator[dict[str, Any]]:
    """The same for any request, as JSON objects."""
    query = urllib.parse.urlencode(parameters)
    try:
        refuse_stopped(runtime)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(control.path(runtime))
            connection.sendall(request_head(method, f"{path}?{query}" if query else path))
            while not select.select([connection], [], [], _LOOK_SECONDS)[0]:
                refuse_stopped(runtime)
            with connection.makefile("rb") as answer:
                head = islice(iter(lambda: answer.readline(_LONGEST_HEAD), b"\r\n"), _MOST_HEADERS)
                status, reason, _ = read_answer(b"".join(head))
                found = map(fields, iter(lambda: answer.readline(_LONGEST_LINE), b""))
                if status != _OK:
                    raise PorticoError(
                        Problem(lock.site_of(runtime), str(next(found, {}).get("error", reason)))
                    )
                yield from found
    except UnreadableError as error:
        raise PorticoError(Problem(lock.site_of(runtime), f"{_WRONG}: {error}")) from None
    except (OSError, ValueError) as error:
        raise PorticoError(_silence(runtime, error)) from error


def _query(args: Struct | None) -> dict[str, str]:
    told: dict[str, Any] = msgspec.to_builtins(args) if args else {}
    return {name: "1" if value is True else str(value) for name, value in told.items()}


def _read(runtime: str, command: Command[Any, R], line: dict[str, Any]) -> R:
    if "error" in line and len(line) == 1:  # an error after the answer had begun
        raise PorticoError(Problem(lock.site_of(runtime), str(line["error"])))
    try:
        found: R = msgspec.convert(line, command.answer)
    except msgspec.ValidationError as error:
        raise PorticoError(Problem(lock.site_of(runtime), f"{_WRONG}: {error}", _OTHER_VERSION)) from None
    return found


async def listen(runtime: str, command: Command[A, R], args: A | None = None) -> AsyncGenerator[R, None]:
    """The same as `ask` for a GET, without blocking the loop."""
    path, query = command.name.removeprefix("GET "), urllib.parse.urlencode(_query(args))
    try:
        reader, writer = await asyncio.open_unix_connection(control.path(runtime), limit=_LONGEST_LINE)
    except OSError as error:
        raise PorticoError(_silence(runtime, error)) from error
    try:
        writer.write(request_head("GET", f"{path}?{query}"))
        status, _, _ = read_answer(await reader.readuntil(END))
        async for line in reader:
            item = fields(line)
            if status != _OK:
                raise PorticoError(Problem(lock.site_of(runtime), str(item.get("error", ""))))
            yield _read(runtime, command, item)
    except (OSError, EOFError, ValueError) as error:
        raise PorticoError(Problem(lock.site_of(runtime), f"{_WRONG}: {error}")) from error
    finally:
        writer.close()


def _silence(runtime: str, error: Exception) -> Problem:
    site = lock.site_of(runtime)
    if isinstance(error, PermissionError):
        return Problem(site, "another user runs this site", "ask as that user, or as root")
    running = lock.running(runtime)
    if running is None:
        return Problem(site, "nothing runs here", _NOT_HERE)
    if running.stage:
        what = f"it is starting: {running.stage} for {time.time() - running.since:.0f} s, pid {running.pid}"
        return Problem(site, what, "wait until it serves (portico status), or portico stop")
    return Problem(site, f"it runs, but does not answer: {error}")
