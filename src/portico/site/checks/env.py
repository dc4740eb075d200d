"""Rules for the names and values of environment variables."""

from __future__ import annotations

import re

from portico.app_servers.kinds import KINDS
from portico.site.checks.rule import Broken, Rules
from portico.site.options import Options

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DECIDE = ("PORTICO_", *(kind.prefix for kind in KINDS))
"""Variables of Portico itself and of app servers begin so."""
_DECIDED = frozenset({"PWD", "FLASK_RUN_FROM_CLI", "PYTHONUNBUFFERED"}).union(
    *(kind.variables for kind in KINDS)
)
"""Portico sets them for every app, or they decide for an app server."""


def broken_variable(name: str, value: str) -> tuple[str, str] | None:
    """What is wrong with a variable, and what to do; None if the app may have it."""
    if not NAME.fullmatch(name):
        return f'"{name}" is no name of a variable', "expected letters, digits and _, such as DATABASE_URL"
    if name.startswith(_DECIDE) or name in _DECIDED:
        return f"{name} is decided by Portico", "leave it out; docs/reference.md has what can be set"
    if "\0" in value:
        return f"{name} contains a zero byte", "leave it out"
    return None


def _env(options: Options) -> Broken:
    for name, value in options.env.items():
        if broken := broken_variable(name, value):
            yield broken


ENV_RULES: Rules = {"env": _env}
