"""Which tables there are: one for each kind of gateway (`plan.gateway.kinds`)."""

from __future__ import annotations

from portico.site.options import Options
from portico.site.own.httpd.table import HTTPD
from portico.site.own.nginx.table import NGINX
from portico.site.own.table import GatewayTable

TABLES = (NGINX, HTTPD)


def table_of(options: Options) -> GatewayTable:
    """That of the gateway which the options want."""
    return next(table for table in TABLES if table.program == options.gateway)
