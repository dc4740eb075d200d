"""The port from the platform: `PORT` in the environment, as Heroku, Cloud Run, Railway and others set it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from portico.site.facts import AppFacts
from portico.site.model import Site
from portico.site.options import Options
from portico.values import Address

VARIABLE = "PORT"
CAUSE = "PORT in the environment"
_HIGHEST = 65535


def with_port(
    options: Options, causes: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[Options, dict[str, str]]:
    """The options with `listen` on every address at that port, if `listen` is not set and HTTPS is off.

    Gunicorn does the same: https://docs.gunicorn.org/en/stable/settings.html#bind. Other values are ignored:
    container links set PORT variables like tcp://10.0.0.1:80.
    """
    text = environ.get(VARIABLE, "")
    is_port = text.isascii() and text.isdigit() and 0 < int(text) <= _HIGHEST
    if not is_port or "listen" in causes or Site(options, AppFacts(app="", directory=""), "", "").has_https:
        return options, dict(causes)
    return msgspec.structs.replace(options, listen=Address("*", int(text))), {**causes, "listen": CAUSE}
