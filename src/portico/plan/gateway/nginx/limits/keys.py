"""The variables that limits count by: the client, a session, a header, an account."""

from __future__ import annotations

import re
from collections.abc import Iterable

from portico.plan.gateway.nginx.entry.trust import sender
from portico.plan.gateway.nginx.limits.held import BODIES, CLIENT, COUNTED, HELD, MAPPED
from portico.plan.gateway.nginx.log.text import CROWDED, GUARD
from portico.plan.gateway.nginx.names import name_of, variable
from portico.plan.gateway.nginx.syntax import Directive, entries
from portico.plan.web.limits import CERTIFICATE, Counted, Rate, Whom
from portico.plan.web.model import Web
from portico.site.limit import SECONDS

_LEAST_VALUE, _MOST_VALUE = 9, 64
"""Bytes of a cookie or header that count. An address has 4 or 8: none of them can be written as a value."""
_EXACT_ENOUGH = 1200
"""Requests an hour from which whole requests a minute differ by at most 2.5 %."""
_CAPTURES = (
    *("portico_value", "portico_end", "portico_this_hour"),
    *("portico_signature", "portico_until", "portico_pass_of"),
    *("portico_pass_v4", "portico_c_class", "portico_c_mapped", "portico_of_48"),
)
"""The captures of maps. A group's name has at most 32 characters, too few for a site's space."""
SHARED = frozenset({HELD, BODIES, COUNTED[1:], CLIENT[1:], GUARD[1:], CROWDED[1:], *_CAPTURES})
"""Names that all sites of a gateway share: one client has one share of all of them together."""


def keys(web: Web) -> list[Directive]:
    """At `http` level: every variable that a limit counts by."""
    limited = web.limits.counted
    hourly = [one for one in limited if is_by_clock(one)]
    made = [*_exempt(web), *([_hour(web, hourly[0].cause)] if hourly else [])]
    for keyed in {_key(web, one.whom): one.whom for one in reversed(limited)}.values():
        made += _keys(web, keyed, limited)
    return made


def zone_name(web: Web, one: Counted) -> str:
    """nginx refuses a reload that changes the key of a zone: so the name contains the key."""
    key = key_of(web, one)
    word = "" if key == CLIENT else "_" + key.removeprefix(variable(web, "")).lstrip("$")
    return name_of(web, one.zone) + word


def key_of(web: Web, one: Counted) -> str:
    return _key(web, one.whom) + ("_hourly" if is_by_clock(one) else "")


def is_by_clock(one: Counted) -> bool:
    return isinstance(one, Rate) and one.seconds == SECONDS["hour"] and one.requests < _EXACT_ENOUGH


def _key(web: Web, whom: Whom) -> str:
    """The variable to count by; empty for what does not count."""
    if not (web.limits.exempt or whom.methods):
        return _base(web, whom)
    return variable(
        web, "_".join(["by", whom.per, *([_word(whom)] if whom.name else []), *whom.methods]).lower()
    )


def _base(web: Web, whom: Whom) -> str:
    if whom.per == "client":
        return CLIENT
    return variable(web, whom.per if whom.per == "account" else f"{whom.per}_{_word(whom)}")


def _word(whom: Whom) -> str:
    """The name as a part of a variable's name. No two cookie or header names here become the same."""
    return re.sub("[-_]+", "_", whom.name.lower()).strip("_")


def _keys(web: Web, whom: Whom, limited: Iterable[Counted]) -> list[Directive]:
    """The variables of a key. Each uses only those before it."""
    ours = [one for one in limited if _key(web, one.whom) == _key(web, whom)]
    cause, base, key = ours[0].cause, _base(web, whom), _key(web, whom)
    made = _base_maps(web, whom, base, cause)
    if key != base:
        exempt = variable(web, "is_limited") if web.limits.exempt else ""
        prefix = "1" if exempt else ""
        methods = [
            f":{name}" for name in whom.methods for name in ([name, "HEAD"] if name == "GET" else [name])
        ]
        rows = [(f"{prefix}{method}", base) for method in dict.fromkeys(methods or [""])]
        source = f"{exempt}{':$request_method' if methods else ''}"
        why = "who is counted; nothing, and so not counted, for exempt networks and other methods"
        made.append(entries("map", source, key, table=[("default", ""), *rows], why=why, cause=cause))
    if any(map(is_by_clock, ours)):
        table = [("default", f"{key}{variable(web, 'hour')}"), ("", "")]
        why = "nginx forgets a request a minute at the slowest: a slow limit counts by client and hour of the clock"
        made.append(entries("map", key, f"{key}_hourly", table=table, why=why, cause=cause))
    return made


def _base_maps(web: Web, whom: Whom, base: str, cause: str) -> list[Directive]:
    if whom.per == "client":
        return []
    if whom.per == "account":
        return _account_maps(web, whom, base, cause)
    if whom.per == "crawler":
        return _crawler_maps(whom, base, cause)
    source = (
        f"$cookie_{whom.name}" if whom.per == "session" else f"$http_{whom.name.lower().replace('-', '_')}"
    )
    return [
        entries(
            "map", source, base, cause=cause,
            table=[
                ("default", CLIENT),
                (rf"~(?s)^(?<portico_value>.{{{_LEAST_VALUE},{_MOST_VALUE}}})$", "$portico_value"),
                (rf"~(?s)^.+(?<portico_end>.{{{_MOST_VALUE}}})$", "$portico_end"),
            ],
            why=f"the value, of a long one the last {_MOST_VALUE} bytes; a short one, which could be another client's "
            "address, counts as none",
        )
    ]  # fmt: skip


def _crawler_maps(whom: Whom, base: str, cause: str) -> list[Directive]:
    """A crawler comes from many addresses near each other, and anybody may use its name from elsewhere."""
    network = f"{base}_network"
    return [
        entries(
            "map", "$binary_remote_addr", network, cause=cause,
            table=[
                ("default", "$binary_remote_addr"),
                (r"~(?s)^(?<portico_c_class>.{3}).$", "$portico_c_class"),
                (rf"~(?s)^{MAPPED}(?<portico_c_mapped>.{{3}}).$", "$portico_c_mapped"),
                (r"~(?s)^(?<portico_of_48>.{6}).{10}$", "$portico_of_48"),
            ],
            why="where a crawler comes from: a network of 24 bits, with IPv6 of 48",
        ),
        entries(
            "map", "$http_user_agent", base, cause=cause,
            table=[("default", ""), (f"~*{'|'.join(map(re.escape, whom.names))}", network)],
            why="crawlers of these names, counted by network; nobody else is",
        ),
    ]  # fmt: skip


def _account_maps(web: Web, whom: Whom, base: str, cause: str) -> list[Directive]:
    if whom.name == CERTIFICATE:
        why = "the subject of the certificate that the client showed, which nginx has verified"
        table = [("default", "$ssl_client_s_dn"), ("", CLIENT)]
        return [entries("map", "$ssl_client_s_dn", base, table=table, why=why, cause=cause)]
    said = f"$http_{whom.name.lower().replace('-', '_')}"
    of_shared = [("2", said)] if whom.name.lower().startswith("cf-") else []
    table = [("default", ""), ("1", said), *of_shared]
    why = "the user, if a declared proxy names one; from other clients the header does not count"
    name = variable(web, "account_said")
    return [
        entries("map", sender(web), name, table=table, why=why, cause=cause),
        entries(
            "map",
            name,
            base,
            table=[("default", name), ("", CLIENT)],
            why="without one, the client",
            cause=cause,
        ),
    ]


def _exempt(web: Web) -> list[Directive]:
    if not (web.limits.exempt and web.limits.counted):
        return []
    return [
        entries(
            "geo", variable(web, "is_limited"), table=[("default", "1"), *((net, "") for net in web.limits.exempt)],
            why="networks whose clients the limits do not count", cause=web.limits.exempt_cause,
        )
    ]  # fmt: skip


def _hour(web: Web, cause: str) -> Directive:
    table = [("default", ""), (r"~^(?<portico_this_hour>.{13})", "$portico_this_hour")]
    why = "the hour of the clock, with which a slow limit is counted anew"
    return entries("map", "$time_iso8601", variable(web, "hour"), table=table, why=why, cause=cause)
