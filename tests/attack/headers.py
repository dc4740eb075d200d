"""A stranger says who and where the client is, in every name that some proxy or library uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.attack.target import Target

EVIL = "6.6.6.6"
_AT_ONCE = 40
"""Headers in one request: some servers take a hundred."""
NAMES = Path(__file__).with_name("names.txt").read_text().split()
"""The client's address; scheme, host and path; the user and the client's certificate."""


def attack(target: Target) -> Iterator[tuple[str, str]]:
    """(case, finding or "") for each name in each spelling."""
    plain = target.told("/somewhere", {})
    for spell in (str, str.lower, str.upper, _with_underscores):
        # httpd refuses a request for one of them: each has a request of its own.
        step = 1 if target.is_httpd and spell is _with_underscores else _AT_ONCE
        # Of several such headers, httpd's rule sees the last one alone, and an empty one is none.
        last = {"Path_Info": ""} if step == 1 else {}
        for at in range(0, len(NAMES), step):
            yield from _sent(
                target, plain, {spell(name): _value(name) for name in NAMES[at : at + step]} | last
            )


def _sent(target: Target, plain: dict[str, Any], headers: dict[str, str]) -> Iterator[tuple[str, str]]:
    arrived = target.told("/somewhere", headers)
    if target.is_httpd and arrived == {"status": 400}:
        yield from ((name, "") for name in headers)
        return
    changed = {name for name in arrived | plain if arrived.get(name) != plain.get(name)}
    for name in headers:
        variable = _variable(name)
        yield name, f"the app sees {variable}" if variable in changed else ""
    others = changed - {_variable(name) for name in headers}
    yield "anything else", f"changed: {sorted(others)}" if others else ""


def _variable(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def _with_underscores(name: str) -> str:
    return name.replace("-", "_")


def _value(name: str) -> str:
    if "Proto" in name or "Scheme" in name:
        return "https"
    return "/evil" if any(word in name for word in ("Path", "Uri", "URI", "URL", "Prefix")) else EVIL
