"""The limits of a location, and the Retry-After of refused requests."""

from __future__ import annotations

from collections.abc import Sequence

from portico.plan.gateway.nginx.limits.held import held, noticed
from portico.plan.gateway.nginx.limits.keys import zone_name
from portico.plan.gateway.nginx.limits.zones import CROWD, speed
from portico.plan.gateway.nginx.names import name_of, variable
from portico.plan.gateway.nginx.syntax import Directive, directive, entries
from portico.plan.web.limits import Concurrent, Counted, Fair, Rate
from portico.plan.web.model import Web
from portico.plan.web.pages import RETRY_LIMITED_SECONDS


def counted(web: Web, rates: Sequence[Rate], shares: Sequence[Concurrent | Fair]) -> list[Directive]:
    """Counts requests to the app and refuses those above a limit."""
    made = list[Directive]()
    for rate in rates:
        burst = speed(rate)[1]  # nginx takes no burst of 0
        made.append(
            directive(
                "limit_req", f"zone={zone_name(web, rate)}", *([f"burst={burst}"] if burst else []), "nodelay",
                why=f"{rate.text}: a burst is let through at once, requests above it are refused instead of delayed",
                cause=rate.cause,
            )
        )  # fmt: skip
    made += _answered(web, "limit_req", rates)
    # A limit_conn in a location replaces those of its server.
    made += held(web) if shares else []
    for one in shares:
        made += _fair(web, one) if isinstance(one, Fair) else [_concurrent(web, one)]
    return [*made, *_answered(web, "limit_conn", [one for one in shares if isinstance(one, Concurrent)])]


def _concurrent(web: Web, one: Concurrent) -> Directive:
    return directive(
        "limit_conn", zone_name(web, one), one.most, cause=one.cause,
        why=f"{one.text}: how many requests to the app there may be at once",
    )  # fmt: skip


def _fair(web: Web, fair: Fair) -> list[Directive]:
    return [
        *([] if web.waf else [noticed(fair)]),
        directive(
            "limit_conn", name_of(web, CROWD), fair.most, cause=fair.cause,
            why="fair shares of an app that more requests come to than it answers: a quarter of its threads for one "
            "client. Nobody is counted while it answers all",
        ),
    ]  # fmt: skip


def _answered(web: Web, name: str, limited: Sequence[Counted]) -> list[Directive]:
    if not limited:
        return []
    cause = limited[0].cause
    made = [
        directive(f"{name}_status", 429, why="429 Too Many Requests; nginx's own default is 503", cause=cause)
    ]
    if web.limits.is_dry_run:
        why = "only logs what would be refused"
        made.append(directive(f"{name}_dry_run", "on", why=why, cause=web.limits.dry_run_cause))
    return made


def waits(web: Web, rates: Sequence[Rate]) -> list[Directive]:
    """Starts a location whose limits admit the next request later than in a second."""
    if not rates or not retry_maps(web):
        return []
    slowest = max(rates, key=lambda rate: rate.wait_seconds)
    why = "Retry-After of a 429 from here: then the slowest of its limits lets one more request through"
    return [directive("set", variable(web, "wait"), slowest.wait_seconds, why=why, cause=slowest.cause)]


def retry_maps(web: Web) -> list[Directive]:
    """At `http` level: the Retry-After, if it is longer than a second."""
    slow = [one for one in web.limits.counted if isinstance(one, Rate) and one.wait_seconds > 1]
    if not slow:
        return []
    wait, cause = variable(web, "wait"), slow[0].cause
    return [
        entries("map", "", wait, table=[("default", str(RETRY_LIMITED_SECONDS))], why="the default", cause=cause),
        entries(
            "map", "$status", variable(web, "come_back"), table=[("default", "$portico_retry_after"), ("429", wait)],
            why="a refused client learns when its limit lets it through", cause=cause,
        ),
    ]  # fmt: skip


def retry_after(web: Web) -> str:
    """The variable with the seconds of Retry-After."""
    return variable(web, "come_back") if retry_maps(web) else "$portico_retry_after"


def bandwidth(web: Web) -> list[Directive]:
    """At server level: the bandwidth of each answer."""
    if not web.limits.bandwidth:
        return []
    return [
        directive(
            "limit_rate", int(web.limits.bandwidth), cause=web.limits.bandwidth_cause,
            why="bytes a second of each answer, so that one client leaves the line to others",
        )
    ]  # fmt: skip
