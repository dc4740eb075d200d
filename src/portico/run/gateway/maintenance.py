"""Maintenance mode: the gateway answers with its own page. It detects the mode by files, without a reload.

The directory is the whole state: it survives reloads of the app, restarts of the gateway and a killed
Portico. Only `off` and a stop remove it.
"""

from __future__ import annotations

import html
import ipaddress
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from portico import atomic
from portico.errors import PorticoError, Problem
from portico.place import untrusted
from portico.plan.paths import maintenance
from portico.protocol.status import Maintenance

MESSAGE = "This site is being worked on and will be back soon."
MOST_ADDRESSES = 256
"""One file per address: an office's /24 is fine, a provider's network is a mistake."""


def close(runtime: str, message: str, allow: str) -> Maintenance:
    """Close the site, or change the message and the admitted addresses of a closed one; returns the new `state`.

    `allow` are addresses and small ranges, separated by commas. Raises PorticoError for anything else.
    """
    directory, let_in = Path(maintenance(runtime)), frozenset(_addresses(allow))
    message = " ".join(message.split()) or MESSAGE
    allowed = directory / "allowed"
    for path in (directory, allowed):
        path.mkdir(exist_ok=True)
        path.chmod(0o755)  # the gateway's workers may be another user; the runtime directory admits no others
    _write(directory / "message.html", html.escape(message))
    # In a page that is parsed for SSI commands, "<" must be escaped in JSON, too.
    _write(directory / "message.json", json.dumps(message, ensure_ascii=False)[1:-1].replace("<", "\\u003c"))
    for address in let_in:
        _write(allowed / address, "")
    for path in allowed.iterdir():
        if path.name not in let_in:
            path.unlink()
    before = state(runtime)
    since = before.since if before else round(time.time(), 3)
    closed = Maintenance(message, tuple(allow.split(",")) if allow else (), since)
    _write(
        directory / "on", json.dumps(msgspec.to_builtins(closed))
    )  # last, so that everything else exists when the gateway sees it
    return closed


def open_again(runtime: str) -> bool:
    """Open the site; returns whether it was closed."""
    was_closed = state(runtime) is not None
    (Path(maintenance(runtime)) / "on").unlink(missing_ok=True)
    shutil.rmtree(maintenance(runtime), ignore_errors=True)
    return was_closed


def state(runtime: str) -> Maintenance | None:
    """The message, the admitted addresses and the start (Unix time); None while the site is open."""
    try:
        return untrusted.read_json(Path(maintenance(runtime)) / "on", Maintenance)
    except (OSError, ValueError):
        return None


def _addresses(allow: str) -> Iterator[str]:
    """Each address as a gateway writes it."""
    for text in filter(None, allow.split(",")):
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise PorticoError(
                Problem(
                    "--allow",
                    f"{text!r} is not an address",
                    "expected 203.0.113.7, 203.0.113.0/24 or 2001:db8::7",
                )
            ) from None
        if network.num_addresses > MOST_ADDRESSES:
            what = f"{text} has {network.num_addresses} addresses, more than {MOST_ADDRESSES}"
            raise PorticoError(Problem("--allow", what, "name the addresses, or a smaller range"))
        yield from map(str, network)


def _write(path: Path, text: str) -> None:
    atomic.write(path, text.encode(), 0o644)
