"""The user's directives for a gateway that this site does not have."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from portico.plan.web.model import Web
from portico.site.own.tables import TABLES


def of_another_gateway(web: Web) -> Iterator[str]:
    """`nginx.server` where Apache httpd is the gateway, and the reverse."""
    options = web.site.options
    for table in TABLES:
        if table.program == options.gateway:
            continue
        for key in (table.above_key, table.server_key):
            if attrgetter(key)(options):
                yield f'{key} has no effect: it is for {table.program}, and the gateway is "{options.gateway}"'
