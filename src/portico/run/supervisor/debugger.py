"""The PIN of Werkzeug's debugger, for `--dev`. Any user of the machine can compute the one that Werkzeug makes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from functools import cache
from typing import Final

from portico.plan.model import Plan
from portico.run.processes import child

VARIABLE: Final = "WERKZEUG_DEBUG_PIN"
_PIN: Final = re.compile(r"[0-9-]*[0-9][0-9-]*")
"""Werkzeug takes anything else for no PIN, or for none at all ("off")."""


def secrets_of(plan: Plan) -> Mapping[str, str]:
    """The secret variables of its app server, with a PIN in development: the user's own, or that of this run."""
    given = plan.server.secrets
    if plan.development is None:
        return given
    own = given.get(VARIABLE) or child.environment().get(VARIABLE, "")
    return {**given, VARIABLE: own if _PIN.fullmatch(own) else _made()}


@cache
def _made() -> str:
    """One for each run: a browser that has entered it stays known to the next release."""
    digits = f"{secrets.randbelow(10**12):012}"
    return "-".join(digits[at : at + 4] for at in range(0, 12, 4))
