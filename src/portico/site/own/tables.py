"""Which tables there are: one for each kind of gateway (`plan.gateway.kinds`)."""

from __future__ import annotations

from portico.site.options import Options
from portico.site.own.nginx.table import NGINX
from portico.site.own.table import GatewayTable

TABLES = (NGINX,)


def table_of(_options: Options) -> GatewayTable:
    """That of the gateway which the options want."""
    return TABLES[0]
