"""What `portico bench` asks before it makes a load on something that others use."""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

import click

from portico.cli import output
from portico.errors import Problem, UsageError
from portico.measure.contenders import Words
from portico.project.running import runtime_of
from portico.run.disk import lock


def refuse_beside_url(config: str | None, against: str | None, peers: str, flags: dict[str, Any]) -> None:
    named = {"--config": config, "--against": against, "--peers": peers}
    beside = [name for name, value in named.items() if value] + [f"--{name}" for name in flags]
    if beside:
        what = f"a URL is measured as it is, so {', '.join(beside)} has no meaning"
        raise UsageError(
            Problem(
                "bench",
                what,
                "expected portico bench URL, with no option of a site",
            )
        )


def agree_beside_running(words: Words, command: str, *, is_agreed: bool) -> None:
    """Raises UsageError without a yes."""
    running = lock.running(runtime_of(words.app, words.config, words.flags.get("name", "")))
    if running is not None:
        what = f"{running.app} runs here: its clients wait longer meanwhile, and it shares its database with the copies"
        _agree(what, command, is_agreed=is_agreed)


def agree_to_url(url: str, *, is_agreed: bool) -> None:
    host = urlsplit(url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = sorted({str(one[4][0]).partition("%")[0] for one in found})
        is_near = all(ipaddress.ip_address(one).is_loopback for one in addresses)
    except (OSError, ValueError):
        raise UsageError(
            Problem(url, "its host is not known", "expected http://127.0.0.1:8080/items")
        ) from None
    where = "this machine" if is_near else f"{host} ({', '.join(addresses)})"
    _agree(
        f"the load goes to a server that runs, on {where}: its clients wait longer meanwhile",
        url,
        is_agreed=is_agreed,
    )


def _agree(what: str, where: str, *, is_agreed: bool) -> None:
    """A load on something that others may use is never made without a yes. Raises UsageError."""
    if is_agreed:
        return
    if not sys.stdin.isatty():
        raise UsageError(Problem(where, what, "if that is meant: add --yes"))
    if not click.confirm(f"{output.safe(what)}. Go on?", err=True):
        raise UsageError(
            Problem(where, "nothing was measured", "measure on another machine, or at a quiet time")
        )
