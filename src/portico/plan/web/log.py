"""The fields of the log line of each request."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from portico.plan.web.ability import Ability
from portico.plan.web.refusals import GUARDS
from portico.site.model import Site

FIELDS = {
    "time": "when the answer was finished",
    "id": "the request's id, given to the app and back to the client as X-Request-ID",
    "client": "the client's address, as the app sees it",
    "method": "the request's method",
    "scheme": "http or https, as the client used it",
    "host": "the host asked for",
    "uri": "path and query as the client sent them",
    "status": "the answer's status; 499 when the client left before a byte of it was sent",
    "bytes_in": "bytes of the request, head and body",
    "bytes_out": "bytes of the answer, head and body",
    "protocol": "HTTP/1.1, HTTP/2.0",
    "tls": "TLSv1.3, TLSv1.2; empty without TLS",
    "cipher": "the negotiated cipher; empty without TLS",
    "connection": "the client connection's number, which nginx's error log names as *N",
    "refused_by": f"the guard that refused the request: {', '.join(GUARDS[:-1])} or {GUARDS[-1]}",
    "cache": "HIT, MISS, ...; empty when no cache was asked",
    "seconds": "from the first byte of the request to the last of the answer",
    "upstream": "the socket or server that answered; several when one was retried",
    "upstream_status": "what it answered",
    "connect_seconds": "time to connect to it",
    "header_seconds": "time until its head was there",
    "response_seconds": "time until its answer was complete",
    "worker": "the worker's numbers: queue us, app us, pid, thread, endpoint",
    "forwarded": (
        "the mark of a proxy that `behind` does not name: cloudflare, aws or proxy; not in the line with `behind`"
    ),
    "agent": "the client's User-Agent",
    "referer": "the client's Referer",
}
"""Every field and its meaning, in their order. Times are in seconds."""
TRACING_FIELDS = {
    "ended": "when the answer was finished, in seconds since 1970, to the millisecond",
    "traceparent": "the request's trace context, trusted or not",
    "trusted": "1 when it came from a declared proxy, and so is trusted",
}
"""Additional fields of a site with [tracing]; the last one only behind declared proxies."""
OF_REFUSED = {
    "fetch_site": "the browser's Sec-Fetch-Site: which page caused the request; of refused requests, with `guard.ban`",
}
"""What the lines of error pages have besides, where clients are banned."""
OF_RULES = {"rule": "the number of the [[route]] that took the request; empty if none did"}
"""An additional field of a site with [[route]]."""
NUMBERS = {"status", "bytes_in", "bytes_out", "seconds", "connection", "ended"}
"""Fields that always contain one number; those of the upstream may contain none, or several after a retry."""
_OF_TLS = {"tls", "cipher"}
_OF_THE_APP = {
    "refused_by", "cache", "upstream", "upstream_status", "connect_seconds", "header_seconds", "response_seconds",
    "worker", "forwarded", "rule",
}  # fmt: skip
"""Fields that are always empty for a file, which the gateway answers by itself."""


class Log(Struct, frozen=True):
    """The fields of a line, by name, in their order. A field that would always be empty is omitted."""

    fields: tuple[str, ...]
    of_files: tuple[str, ...]
    """The fields of a line about a file."""
    of_pages: tuple[str, ...]
    """The fields of a line about an error page of the gateway."""
    notes_proxies: bool
    """Headers of an undeclared proxy are logged: every request with one is checked."""


def log(site: Site, abilities: frozenset[Ability]) -> Log:
    """The log fields of a site."""
    absent = _absent(abilities, has_tls=site.has_https) | ({"forwarded"} if site.proxies else set())
    traces = [name for name in TRACING_FIELDS if name != "trusted" or site.has_http_proxies]
    of_refused = OF_REFUSED if site.options.guard.ban else ()
    more = [*(traces if site.is_traced else []), *(OF_RULES if _has_rules(site) else ())]
    return _log(absent, more, of_refused, notes_proxies=not site.proxies)


def _has_rules(site: Site) -> bool:
    return any(one.is_elsewhere for one in site.rules)


def log_of_strangers(abilities: frozenset[Ability]) -> Log:
    """The log fields of requests that belong to no site."""
    return _log(_absent(abilities, has_tls=True) | {"forwarded"}, [], (), notes_proxies=False)


def _absent(abilities: frozenset[Ability], *, has_tls: bool) -> set[str]:
    return set() if has_tls and Ability.TLS in abilities else _OF_TLS


def _log(absent: set[str], more: list[str], of_refused: Iterable[str], *, notes_proxies: bool) -> Log:
    fields = [*(name for name in FIELDS if name not in absent), *more]
    of_files = [name for name in fields if name not in _OF_THE_APP]
    return Log(tuple(fields), tuple(of_files), (*fields, *of_refused), notes_proxies)
