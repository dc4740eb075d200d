"""Server-Timing: nginx adds up what the worker says of its times and what it knows itself.

Its variables have seconds and the header has milliseconds: `0.012e3` is 12. A map with captures could rewrite the
number, but generated configurations have none (CVE-2026-93479).
"""

from __future__ import annotations

from portico.plan.gateway.nginx.names import header_word, variable
from portico.plan.gateway.nginx.syntax import Directive, directive, entries
from portico.plan.web.app.server_timing import PROXY_HEADERS, UNTIL_HEAD
from portico.plan.web.model import Web

SPEC = "https://www.w3.org/TR/server-timing/"
HEADER = "X-Portico-Timing"
"""The worker's times."""
_LOCAL = r"~^(?:(?:::ffff:)?127\.[0-9.]+|::1)\|0?\|$"
_DURATION = r"dur=[0-9][0-9.e-]*"
_TIMES = rf'(?:queue;desc="[a-z ]+";{_DURATION}, )?app;desc="[a-z ]+";{_DURATION}'
_STATUS = "$upstream_cache_status"
_ANEW = "(?!HIT|STALE|UPDATING|REVALIDATED)[A-Z]*"
"""The cache's words for an answer that the app has just made, none if no cache was asked."""


def timing_maps(web: Web) -> list[Directive]:
    """At http level: who may see the times, and what they are."""
    if not web.server_timing:
        return []
    cause = web.server_timing.cause
    behind = variable(web, "behind") if web.trust.proxies else ""
    proxied = "".join(f"$http_{header_word(name)}" for name in PROXY_HEADERS)
    worker = f"$upstream_http_{header_word(HEADER)}"
    may, app, upstream, cached = (variable(web, f"timed{of}") for of in ("", "_app", "_upstream", "_cache"))
    seen = f'nginx;desc="{UNTIL_HEAD}";dur=${{request_time}}e3{app}{cached}'
    return [
        entries(
            "map", f"$remote_addr|{behind}|{proxied}", may, table=[("default", ""), (_LOCAL, "1")], cause=cause,
            why="1 for a client on this machine: through a proxy anybody may come, and times are not for strangers",
        ),
        entries(
            "map", f"{_STATUS}:$upstream_header_time", upstream, cause=cause,
            table=[
                ("default", ""),
                (rf"~^{_ANEW}:[0-9.]+$", ', app;desc="with its queue, until its head";dur=${upstream_header_time}e3'),
            ],
            why="what nginx knows of the app's time; nothing for an answer of the cache, and after a second try",
        ),
        entries(
            "map", f"{_STATUS}:{worker}", app, cause=cause,
            table=[("default", upstream), (rf"~^{_ANEW}:{_TIMES}$", f", {worker}")],
            why="the worker's times; a stored answer has those of the request that it was stored for",
        ),
        entries(
            "map", _STATUS, cached, table=[("default", f", cache;desc={_STATUS}"), ("", "")], cause=cause,
            why="what the cache did, where one was asked",
        ),
        entries(
            "map", may, variable(web, "timing"), table=[("default", ""), ("1", seen)], cause=cause,
            why="the whole header; nginx leaves an empty one out",
        ),
        entries(
            "map", may, variable(web, "timed_private"), table=[("default", ""), ("1", "private")], cause=cause,
            why="no cache between stores an answer with times",
        ),
    ]  # fmt: skip


def timing_headers(web: Web) -> list[Directive]:
    """Wherever headers are added."""
    if not web.server_timing:
        return []
    cause = web.server_timing.cause
    return [
        directive(
            "add_header", "Server-Timing", variable(web, "timing"), "always", cause=cause, source=SPEC,
            why="DevTools show where the time went; the app's own Server-Timing stays beside it",
        ),
        directive(
            "add_header", "Cache-Control", variable(web, "timed_private"), "always", cause=cause,
            why="beside what the app says: the stricter one counts, so no shared cache stores the times",
        ),
    ]  # fmt: skip


def timing_of_request(web: Web) -> list[tuple[str, str, str, str]]:
    """The parameter that asks Portico's worker for its times, with its value, reason and cause."""
    timing = web.server_timing
    if not (timing and timing.by_worker):
        return []
    return [
        (
            "PORTICO_TIMED",
            variable(web, "timed"),
            "the client may see the times: the worker sends its own",
            timing.cause,
        )
    ]


def hidden_timing(web: Web, hide: str) -> list[Directive]:
    """The worker's header, which clients do not get as it is; `hide` is the link's directive for that."""
    why = "the worker's times are for nginx, which shows them to those who may see them"
    return [directive(hide, HEADER, why=why, cause=web.server_timing.cause)] if web.server_timing else []
