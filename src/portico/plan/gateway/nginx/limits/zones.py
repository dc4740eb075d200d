"""The memory in which nginx counts, and a list of all limits for reports."""

from __future__ import annotations

from portico.plan.gateway.nginx.entry.health import health_zone
from portico.plan.gateway.nginx.limits.held import BODIES, BYTES_A_KEY, HELD, proxies, zone_size
from portico.plan.gateway.nginx.limits.keys import is_by_clock, key_of, keys, zone_name
from portico.plan.gateway.nginx.log.text import CROWDED
from portico.plan.gateway.nginx.names import name_of
from portico.plan.gateway.nginx.syntax import Directive, directive
from portico.plan.subjects import PlannedLimit
from portico.plan.web.limits import SESSIONS_AN_ADDRESS, Concurrent, Counted, Fair, Rate, Whom
from portico.plan.web.model import Web
from portico.site.limit import SECONDS

_BYTES_A_LONG_KEY = 256
CROWD = "crowd"


def limit_zones(web: Web) -> list[Directive]:
    """At `http` level: the shared memory for counting, and its keys."""
    return [
        health_zone(web),
        *proxies(web),
        *keys(web),
        *([_crowd_zone(web, web.limits.fair)] if web.limits.fair else []),
        *(
            _rate_zone(web, one) if isinstance(one, Rate) else _share_zone(web, one)
            for one in web.limits.counted
        ),
    ]


def planned(web: Web) -> tuple[PlannedLimit, ...]:
    """Every limit on clients, for reports of refused requests."""
    limits = web.limits
    shares = [
        (HELD, limits.held, "requests of any kind in progress"),
        (BODIES, limits.bodies, "requests with a body in progress"),
    ]
    return (
        *(
            PlannedLimit(zone_name(web, one), _text(one), one.of, _per(one), one.cause, limits.is_dry_run)
            for one in limits.counted
        ),
        *(
            PlannedLimit(zone, f"{share.most} {what}", "everything", "client", share.cause)
            for zone, share, what in shares
        ),
    )


def _text(one: Counted) -> str:
    """The counted requests as text, without the key."""
    words = one.text.partition(" per ")[0]
    return f"{SESSIONS_AN_ADDRESS} x {words}" if one.is_ceiling else words


def _per(one: Counted) -> str:
    whom = one.whom
    name = {"session": f" ({whom.name})", "header": f" {whom.name}", "crawler": " network"}.get(whom.per, "")
    return f"{whom.per}{name}"


def speed(rate: Rate) -> tuple[str, int]:
    """nginx's rate and burst. nginx counts in thousandths of a request a second and has no hourly rates.

    An hourly limit is rounded to whole requests a minute, within 2.5 %; a slow one is counted anew in each hour of
    the clock: half of it as the burst, and the other half regained during the hour.
    """
    if rate.seconds == SECONDS["second"]:
        return f"{rate.requests}r/s", rate.burst
    if rate.seconds == SECONDS["minute"]:
        return f"{rate.requests}r/m", rate.burst
    if not is_by_clock(rate):
        return f"{round(rate.requests / 60)}r/m", rate.burst
    minutely = max(1, rate.requests // 120)
    regained = minutely * 1000 // 60 * rate.seconds // 1000
    return f"{minutely}r/m", rate.requests - 1 - regained


def _rate_zone(web: Web, rate: Rate) -> Directive:
    pace, _ = speed(rate)
    zone = f"zone={zone_name(web, rate)}:{_size(web, rate.whom)}m"
    return directive(
        "limit_req_zone", key_of(web, rate), zone, f"rate={pace}",
        why=f"counts requests by {_words(rate.whom)}{_why_ceiling(rate)}", cause=rate.cause,
    )  # fmt: skip


def _share_zone(web: Web, one: Concurrent) -> Directive:
    return directive(
        "limit_conn_zone", key_of(web, one), f"zone={zone_name(web, one)}:{_size(web, one.whom)}m",
        why=f"counts the requests in progress by {_words(one.whom)}{_why_ceiling(one)}", cause=one.cause,
    )  # fmt: skip


def _crowd_zone(web: Web, fair: Fair) -> Directive:
    zone = f"zone={name_of(web, CROWD)}:{zone_size(web.place)}m"
    return directive(
        "limit_conn_zone", CROWDED, zone, why="counts requests to the app by client, while too many come",
        cause=fair.cause,
    )  # fmt: skip


def _why_ceiling(one: Counted) -> str:
    return f": who makes up values gets no more than {SESSIONS_AN_ADDRESS} clients" if one.is_ceiling else ""


def _words(whom: Whom) -> str:
    what = {
        "client": "client, the real one behind a declared proxy",
        "session": f"the cookie {whom.name}, and without one by client",
        "header": f"the header {whom.name}, and without one by client",
        "crawler": f"network, of crawlers of the kind {whom.name}",
        "account": f"the user that {whom.name} names, and without one by client",
    }[whom.per]
    return what + (f"; only {', '.join(whom.methods)}" if whom.methods else "")


def _size(web: Web, whom: Whom) -> int:
    """MiB for all keys that must be remembered."""
    each = BYTES_A_KEY if whom.per == "client" else _BYTES_A_LONG_KEY
    return max(1, web.limits.remembered * each >> 20)
