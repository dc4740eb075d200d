"""Server-Timing: httpd adds the worker's times to its own, which it has in microseconds: `1234e-3` is 1.234."""

from __future__ import annotations

from portico.plan.gateway.httpd.entry.trust import from_networks, setting
from portico.plan.gateway.httpd.names import BEHIND
from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.web.app.server_timing import PROXY_HEADERS, UNTIL_HEAD
from portico.plan.web.model import Web

TIMED = "PORTICO_TIMED"
"""1 for a client that may see the times; Portico's worker reads it, too."""
_SPEC = "https://www.w3.org/TR/server-timing/"
_WORKER = "X-Portico-Timing"
_OWN = f'httpd;desc="{UNTIL_HEAD}";'
_LOCAL = ("127.0.0.0/8", "::1")


def timing_setting(web: Web) -> list[Directive]:
    """In a virtual host: who may see the times, before every rule."""
    if not web.server_timing:
        return []
    parts = [
        f"({from_networks(_LOCAL)})",
        "%{REMOTE_ADDR} == %{CONN_REMOTE_ADDR}",
        f"reqenv('{BEHIND}') != '1'",
    ]
    parts += [f"-z req_novary('{name}')" for name in PROXY_HEADERS]
    why = "a client on this machine: through a proxy anybody may come, and times are not for strangers"
    return [setting(" && ".join(parts), f"{TIMED}=1", why, web.server_timing.cause)]


def timing_headers(web: Web) -> list[Directive]:
    """In a virtual host: httpd's own time, on every answer."""
    if not web.server_timing:
        return []
    cause, when = web.server_timing.cause, f"env={TIMED}"
    why = "DevTools show where the time went; the app's own Server-Timing stays beside it"
    private = "beside what the app says: the stricter one counts, so no shared cache stores the times"
    return [
        directive("Header", "always", "add", "Server-Timing", f"{_OWN}%D", when, why=why, cause=cause, source=_SPEC),
        directive(
            "Header", "always", "edit", "Server-Timing", f"^({_OWN})D=([0-9]+)$", "$1dur=$2e-3", when, cause=cause,
            why="httpd writes D= and microseconds",
        ),
        directive("Header", "always", "add", "Cache-Control", "private", when, why=private, cause=cause),
    ]  # fmt: skip


def timing_of_worker(web: Web) -> list[Directive]:
    """In a virtual host: the worker's times, where the client may see them."""
    if not web.server_timing:
        return []
    cause, said = web.server_timing.cause, f"resp('{_WORKER}')"
    condition = f"expr=-n {said} && reqenv('{TIMED}') == '1'"
    why = "the time in the queue and in the app"
    return [
        directive(
            "Header", "add", "Server-Timing", f"expr=%{{resp:{_WORKER}}}", condition, why=why, cause=cause
        ),
        directive("Header", "unset", _WORKER, why="it is in Server-Timing now", cause=cause),
    ]
