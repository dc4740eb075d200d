"""The bandwidth of each answer: a filter of httpd sends so much of it in every fifth of a second."""

from __future__ import annotations

from portico.errors import Problem
from portico.plan.gateway.httpd.entry.trust import setting
from portico.plan.gateway.httpd.modules import lacking
from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.web.model import Web
from portico.site.model import Routed
from portico.values import bandwidth

MODULE = "ratelimit"
_SPEED = "rate-limit"
"""KiB a second; httpd's own name."""
_MANUAL = "https://httpd.apache.org/docs/2.4/mod/mod_ratelimit.html"


def bandwidth_modules(web: Web) -> list[str]:
    """The module, if anything is limited."""
    return [MODULE] if _is_used(web) else []


def no_bandwidth(web: Web) -> list[Problem]:
    """What the build lacks for it."""
    return lacking(web.place.gateway, bandwidth_modules(web), "bandwidth", web.limits.bandwidth_cause)


def bandwidth_settings(web: Web) -> list[Directive]:
    """In a virtual host: the filter, which passes everything on where no speed is set, and the speed of the site."""
    if not _is_used(web):
        return []
    cause = web.limits.bandwidth_cause
    why = "bytes a second of each answer, so that one client leaves the line to others"
    made = [directive("SetOutputFilter", "RATE_LIMIT", why=why, cause=cause, source=_MANUAL)]
    if web.limits.bandwidth:
        made.append(setting("true", f"{_SPEED}={_kib(web.limits.bandwidth)}", why, cause))
    return made


def bandwidth_flag(routed: Routed | None) -> str:
    """The flag of a rule: the speed of its route."""
    if routed is None or not routed.edge.bandwidth:
        return ""
    return f",E={_SPEED}:{_kib(bandwidth(routed.edge.bandwidth))}"


def _is_used(web: Web) -> bool:
    return bool(web.limits.bandwidth) or any(one.edge.bandwidth for one in web.routed)


def _kib(size: int) -> int:
    """Whole KiB: the least that an option takes is one."""
    return size >> 10
