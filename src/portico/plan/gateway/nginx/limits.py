"""How much one client may ask for and hold; refused with 429, as HTTP has it, not nginx's 503."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from portico.place.model import Place
from portico.plan.gateway.nginx.conf import Directive, block, directive, entries
from portico.plan.gateway.nginx.entry.health import health_zone
from portico.plan.gateway.nginx.entry.trust import sender
from portico.plan.gateway.nginx.log.text import CROWDED, GUARD
from portico.plan.gateway.nginx.names import name_of, variable
from portico.plan.model import PlannedLimit
from portico.plan.web.limits import (
    CERTIFICATE,
    SESSIONS_AN_ADDRESS,
    Concurrent,
    Counted,
    Fair,
    Rate,
    Share,
    Whom,
)
from portico.plan.web.model import Web
from portico.plan.web.pages import RETRY_LIMITED_SECONDS
from portico.plan.web.sizes import requests
from portico.site.limit import SECONDS

_BYTES_A_KEY = 128
"""A client that has a request in progress, https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html"""
_BYTES_A_LONG_KEY = 256
_LEAST_VALUE, _MOST_VALUE = 9, 64
"""Bytes of a cookie or header that counts. An address has 4 or 8: none of them can be written as a value."""
_EXACT_ENOUGH = 1200
"""Requests an hour from which whole requests a minute differ by at most 2.5 %."""
_NUMBERED = r"\$\{?[0-9]"
HELD, BODIES = "portico_held", "portico_bodies"
COUNTED, CLIENT, _SENDER = "$portico_counted", "$portico_client", "$portico_sender"
_CAPTURES = ("portico_value", "portico_end", "portico_this_hour")
"""What maps of keys take out of a value. A group's name has at most 32 letters, too few for the space of a site."""
_CROWD = "crowd"
SHARED = frozenset({HELD, BODIES, COUNTED[1:], CLIENT[1:], GUARD[1:], CROWDED[1:], *_CAPTURES})
"""Names that all sites of a gateway share: one client has one share of all of them together."""
_UNCOUNTED, _BY_ADDRESS, _BY_NETWORK = "0", "4", "6"


def limit_zones(web: Web) -> list[Directive]:
    """The shared memory that counts, and by what, at `http` level."""
    made = [health_zone(web), *_proxies(web), *_exempt(web)]
    limited = web.limits.counted
    limited_hourly = [one for one in limited if _is_by_clock(one)]
    made += [_hour(web, limited_hourly[0].cause)] if limited_hourly else []
    for keyed in {_key(web, one.whom): one.whom for one in reversed(limited)}.values():
        made += _keys(web, keyed, limited)
    made += [_crowd_zone(web, web.limits.fair)] if web.limits.fair else []
    for one in limited:
        made.append(_rate_zone(web, one) if isinstance(one, Rate) else _share_zone(web, one))
    return made


def planned(web: Web) -> tuple[PlannedLimit, ...]:
    """Every limit on clients, for whoever counts what they refuse."""
    limits = web.limits
    shares = [
        (HELD, limits.held, "requests of any kind in progress"),
        (BODIES, limits.bodies, "requests with a body in progress"),
    ]
    return (
        *(
            PlannedLimit(_zone_name(web, one), _text(one), one.of, _per(one), one.cause, limits.is_dry_run)
            for one in limits.counted
        ),
        *(
            PlannedLimit(zone, f"{share.most} {what}", "everything", "client", share.cause)
            for zone, share, what in shares
        ),
    )


def _text(one: Counted) -> str:
    """What is counted, without whom."""
    words = one.text.partition(" per ")[0]
    return f"{SESSIONS_AN_ADDRESS} x {words}" if one.is_ceiling else words


def _per(one: Counted) -> str:
    name = {"session": f" ({one.whom.name})", "header": f" {one.whom.name}"}.get(one.whom.per, "")
    return f"{one.whom.per}{name}"


def _rate_zone(web: Web, rate: Rate) -> Directive:
    speed, _ = _speed(rate)
    zone = f"zone={_zone_name(web, rate)}:{_size(web, rate.whom)}m"
    return directive(
        "limit_req_zone", _key_of(web, rate), zone, f"rate={speed}",
        why=f"counts requests by {_words(rate.whom)}{_why_ceiling(rate)}", cause=rate.cause,
    )  # fmt: skip


def _share_zone(web: Web, one: Concurrent) -> Directive:
    return directive(
        "limit_conn_zone", _key_of(web, one), f"zone={_zone_name(web, one)}:{_size(web, one.whom)}m",
        why=f"counts the requests in progress by {_words(one.whom)}{_why_ceiling(one)}", cause=one.cause,
    )  # fmt: skip


def _crowd_zone(web: Web, fair: Fair) -> Directive:
    zone = f"zone={name_of(web, _CROWD)}:{_zone_size(web.place)}m"
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
        "account": f"the user that {whom.name} names, and without one by client",
    }[whom.per]
    return what + (f"; only {', '.join(whom.methods)}" if whom.methods else "")


def _size(web: Web, whom: Whom) -> int:
    """MiB for everybody who is to be remembered."""
    each = _BYTES_A_KEY if whom.per == "client" else _BYTES_A_LONG_KEY
    return max(1, web.limits.remembered * each >> 20)


def _speed(rate: Rate) -> tuple[str, int]:
    """nginx's rate and burst. It counts in thousandths of a request a second, and knows no hours.

    A limit an hour is as near as whole requests a minute come to it, within 2.5 %; a slow one is counted anew with each
    hour of the clock: about half of it at once, and what is regained in the hour is the other half.
    """
    if rate.seconds == SECONDS["second"]:
        return f"{rate.requests}r/s", rate.burst
    if rate.seconds == SECONDS["minute"]:
        return f"{rate.requests}r/m", rate.burst
    if not _is_by_clock(rate):
        return f"{round(rate.requests / 60)}r/m", rate.burst
    minutely = max(1, rate.requests // 120)
    regained = minutely * 1000 // 60 * rate.seconds // 1000
    return f"{minutely}r/m", rate.requests - 1 - regained


def _is_by_clock(one: Counted) -> bool:
    return isinstance(one, Rate) and one.seconds == SECONDS["hour"] and one.requests < _EXACT_ENOUGH


def _zone_name(web: Web, one: Counted) -> str:
    """nginx refuses a reload with a zone of the same name and another key: so the key is in the name."""
    key = _key_of(web, one)
    word = "" if key == CLIENT else "_" + key.removeprefix(variable(web, "")).lstrip("$")
    return name_of(web, one.zone) + word


def _key_of(web: Web, one: Counted) -> str:
    return _key(web, one.whom) + ("_hourly" if _is_by_clock(one) else "")


def _key(web: Web, whom: Whom) -> str:
    """The variable that is counted by; empty for what does not count."""
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
    """The name as one of a variable. Neither cookies nor headers here have what would make two names one."""
    return re.sub("[-_]+", "_", whom.name.lower()).strip("_")


def _keys(web: Web, whom: Whom, limited: Iterable[Counted]) -> list[Directive]:
    """The variables of a key. Each names only those before it."""
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
    if any(map(_is_by_clock, ours)):
        table = [("default", f"{key}{variable(web, 'hour')}"), ("", "")]
        why = "nginx forgets a request a minute at the slowest: a slow limit counts by client and hour of the clock"
        made.append(entries("map", key, f"{key}_hourly", table=table, why=why, cause=cause))
    return made


def _base_maps(web: Web, whom: Whom, base: str, cause: str) -> list[Directive]:
    if whom.per == "client":
        return []
    if whom.per == "account":
        return _account_maps(web, whom, base, cause)
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


def _account_maps(web: Web, whom: Whom, base: str, cause: str) -> list[Directive]:
    if whom.name == CERTIFICATE:
        why = "the subject of the certificate that the client showed, which nginx has verified"
        table = [("default", "$ssl_client_s_dn"), ("", CLIENT)]
        return [entries("map", "$ssl_client_s_dn", base, table=table, why=why, cause=cause)]
    said = f"$http_{whom.name.lower().replace('-', '_')}"
    of_shared = [("2", said)] if whom.name.lower().startswith("cf-") else []
    table = [("default", ""), ("1", said), *of_shared]
    why = "the user, where a declared proxy says who it is; from anybody else the header does not count"
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


def capacity(web: Web) -> list[Directive]:
    """What one client may hold of all there is, at server level: of every location, files and error pages, too."""
    return [
        directive(
            "set", COUNTED, variable(web, "proxy_or_client") if web.limits.uncounted else _as(web),
            why="how the client is counted: by network, by address, or not at all", cause=web.limits.uncounted_cause,
        ),
        *held(web),
        directive("limit_conn_status", 429, why="429 Too Many Requests; nginx's own default is 503"),
    ]  # fmt: skip


def held(web: Web) -> list[Directive]:
    """What one client may have in progress of everything."""
    return [
        _share(
            HELD, web.limits.held,
            "requests that one client may have in progress, slow downloads and event streams among them: an eighth "
            "of what this nginx can hold, so that one address cannot take the site away from the others",
        ),
        _share(
            BODIES, web.limits.bodies,
            "those of them that send a body, which may wait on disk: one client fills a small part of it",
        ),
    ]  # fmt: skip


def _share(zone: str, share: Share, why: str) -> Directive:
    return directive("limit_conn", zone, share.most, why=why, cause=share.cause)


def _proxies(web: Web) -> list[Directive]:
    """At `http` level: a declared proxy that does not say for whom it asks stands for many clients."""
    if not web.limits.uncounted:
        return []
    return [
        entries(
            "geo", variable(web, "proxy_or_client"),
            table=[("default", _as(web)), *((net, _UNCOUNTED) for net in web.limits.uncounted)],
            why="declared proxies themselves are not counted as one client", cause=web.limits.uncounted_cause,
        )
    ]  # fmt: skip


def _as(web: Web) -> str:
    """By network, except where own directives have numbered captures, which that of `clients` would replace."""
    return _BY_ADDRESS if web.own.say(_NUMBERED) else _BY_NETWORK


def clients(place: Place) -> list[Directive]:
    """At `http` level, once for all sites of a gateway: who counts as one client, and the memory that counts.

    nginx knows no way to a part of an address but a regular expression. Captures in maps are avoided otherwise
    (CVE-2026-42533, CVE-2026-93479: of a string made of several parts, one changes another's captures). This one is
    named, of fixed length, and stands alone wherever it is used.
    """
    return [
        entries(
            "map", "", COUNTED, table=[("default", _BY_ADDRESS)],
            why="the default where no server of a site sets it, so that nginx knows the name",
        ),
        entries(
            "map", f"{COUNTED}$binary_remote_addr", CLIENT,
            table=[
                ("default", "$binary_remote_addr"),
                (f"~^{_UNCOUNTED}", ""),
                (rf"~(?s)^{_BY_NETWORK}(?<portico_network>.{{8}}).{{8}}$", "$portico_network"),
            ],
            why="who counts as one client: an IPv4 address, or an IPv6 network of 64 bits, because whoever "
            "holds one address of it holds all",
        ),
        entries(
            "map", "$request_method:$content_length:$http_transfer_encoding", _SENDER,
            table=[("default", CLIENT), ("GET::", ""), ("HEAD::", ""), (r"~:\d{1,4}:$", "")],
            why="the client, of a request whose body may be too long for the memory",
        ),
        *(_zone(place, key, zone) for key, zone in ((CLIENT, HELD), (_SENDER, BODIES))),
    ]  # fmt: skip


def _zone_size(place: Place) -> int:
    """MiB for as many clients as there are connections."""
    return max(1, -(-2 * requests(place) * _BYTES_A_KEY >> 20))


def _zone(place: Place, key: str, zone: str) -> Directive:
    return directive(
        "limit_conn_zone", key, f"zone={zone}:{_zone_size(place)}m",
        why="counts the requests in progress by client; room for as many clients as there are connections",
    )  # fmt: skip


def waits(web: Web, rates: Sequence[Rate]) -> list[Directive]:
    """What a location begins with whose limits let the next request through later than in a second."""
    if not rates or not retry_maps(web):
        return []
    slowest = max(rates, key=lambda rate: rate.wait_seconds)
    why = "Retry-After of a 429 from here: then the slowest of its limits lets one more request through"
    return [directive("set", variable(web, "wait"), slowest.wait_seconds, why=why, cause=slowest.cause)]


def retry_maps(web: Web) -> list[Directive]:
    """At `http` level: when a client should come back, where that is later than in a second."""
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
    """The variable with the seconds after which a client should come back."""
    return variable(web, "come_back") if retry_maps(web) else "$portico_retry_after"


def bandwidth(web: Web) -> list[Directive]:
    """How fast each answer is sent, at server level."""
    if not web.limits.bandwidth:
        return []
    return [
        directive(
            "limit_rate", int(web.limits.bandwidth), cause=web.limits.bandwidth_cause,
            why="bytes a second of each answer, so that one client leaves the line to others",
        )
    ]  # fmt: skip


def counted(web: Web, rates: Sequence[Rate], shares: Sequence[Concurrent | Fair]) -> list[Directive]:
    """What is counted where requests go to the app, and refused above a limit."""
    made = list[Directive]()
    for rate in rates:
        burst = _speed(rate)[1]  # nginx takes no burst of 0
        made.append(
            directive(
                "limit_req", f"zone={_zone_name(web, rate)}", *([f"burst={burst}"] if burst else []), "nodelay",
                why=f"{rate.text}: a burst is let through at once, requests above it are refused instead of delayed",
                cause=rate.cause,
            )
        )  # fmt: skip
    made += _answered(web, "limit_req", rates)
    # One limit_conn in a location takes away those of its server.
    made += held(web) if shares else []
    for one in shares:
        made += _fair(web, one) if isinstance(one, Fair) else [_concurrent(web, one)]
    return [*made, *_answered(web, "limit_conn", [one for one in shares if isinstance(one, Concurrent)])]


def _concurrent(web: Web, one: Concurrent) -> Directive:
    return directive(
        "limit_conn", _zone_name(web, one), one.most, cause=one.cause,
        why=f"{one.text}: how many requests to the app there may be at once",
    )  # fmt: skip


def _fair(web: Web, fair: Fair) -> list[Directive]:
    return [
        block(
            "if", "(-f", f"{fair.flag})",
            why="this file exists while more requests come than the app answers; looking for it costs less than 1 us",
            of=[directive("set", CROWDED, CLIENT, why="clients are counted, and get fair shares of the app")],
        ),
        directive(
            "limit_conn", name_of(web, _CROWD), fair.most, cause=fair.cause,
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
