"""Marks of a proxy that nobody declared: headers that Cloudflare and load balancers add, noted in the log line."""

from __future__ import annotations

from portico.plan.gateway.nginx.conf import Directive, entries

VARIABLE = "$portico_forwarded"
HEADERS = "$http_cf_ray$http_x_amzn_trace_id$http_x_forwarded_for$http_x_real_ip"
"""Empty when a request carries none of them: it needs no map."""
_AWS, _OTHER = f"{VARIABLE}_aws", f"{VARIABLE}_other"
_WHY = "which proxy's headers the request carries, for the hint that `behind` does not name it; nothing else reads this"


def forwarded_maps() -> list[Directive]:
    """At `http` level; looked at when the line is written. Each names only those before it."""
    return [
        entries(
            "map", "$http_x_forwarded_for$http_x_real_ip", _OTHER, table=[("", ""), ("default", "proxy")], why=_WHY
        ),
        entries("map", "$http_x_amzn_trace_id", _AWS, table=[("", _OTHER), ("default", "aws")], why=_WHY),
        entries("map", "$http_cf_ray", VARIABLE, table=[("", _AWS), ("default", "cloudflare")], why=_WHY),
    ]  # fmt: skip
