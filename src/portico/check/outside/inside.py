"""What only insiders should reach: status pages, metrics, consoles, listings; and methods that no site needs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.check.model import Finding
from portico.check.outside.files import folders_of
from portico.check.outside.look import Look

_OPEN = {
    "/metrics": (re.compile(r"^# (?:HELP|TYPE) \w", re.MULTILINE), "the app's metrics"),
    "/nginx_status": (re.compile(r"Active connections: \d"), "nginx's status"),
    "/server-status": (re.compile(r"Apache Server Status|Active connections: \d"), "the server's status"),
    "/console": (re.compile(r"Interactive Console|__debugger__"), "a console that runs Python"),
    "/__debug__/": (re.compile(r"djdt|debug.toolbar", re.IGNORECASE), "a debug toolbar"),
    "/flower/": (re.compile(r"<title>Flower", re.IGNORECASE), "the task queue"),
    "/debug/pprof/": (re.compile(r"Types of profiles available|full goroutine stack dump"), "a profiler"),
}
_DESCRIBED = {
    "/openapi.json": re.compile(r'"openapi"\s*:'),
    "/graphql?query={__schema{types{name}}}": re.compile(r'"__schema"'),
}
_CLOSE = "let only yourself in: nginx allow and deny, a password, or another port on 127.0.0.1"
_ACCESS = '[access."{}"] with allow or users'


def open_findings(look: Look) -> Iterator[Finding]:
    found = [*_doors(look), *_listings(look), *_described(look)]
    yield from found
    if not found:
        yield look.ok(f"no status page, metrics or console at {len(_OPEN)} usual paths", "url-open")


def _doors(look: Look) -> Iterator[Finding]:
    for path, (sign, what) in _OPEN.items():
        answer = look.client.get(path)
        if answer.status == 200 and sign.search(answer.text) and answer.body != look.page.body:
            yield look.fault(
                path, f"anybody can open {what}", _CLOSE, "url-open", _ACCESS.format(path.rstrip("/"))
            )


def _listings(look: Look) -> Iterator[Finding]:
    for folder in folders_of(look):
        answer = look.client.get(f"{folder}/")
        if answer.status == 200 and re.search(r"<title>(?:Index of|Directory listing for) /", answer.text):
            yield look.fault(
                f"{folder}/", "the folder lists its files", "nginx: autoindex off", "url-listing"
            )


def _described(look: Look) -> Iterator[Finding]:
    for path, sign in _DESCRIBED.items():
        answer = look.client.get(path)
        if answer.status == 200 and sign.search(answer.text):
            where = path.partition("?")[0]
            what = "anybody can read the description of the app's API: fine if the API is public"
            yield look.warning(
                where,
                what,
                "FastAPI(openapi_url=None) in production, or " + _CLOSE,
                "url-described",
                _ACCESS.format(where),
            )


def method_findings(look: Look) -> Iterator[Finding]:
    """TRACE repeats cookies to scripts, CONNECT leads anywhere."""
    mark = look.client.mark
    trace = look.client.get("", f"X-Check: {mark}", method="TRACE")
    if trace.status == 200 and mark in trace.text:
        what = "TRACE is answered with the request: a script can read cookies that are HttpOnly"
        yield look.warning("TRACE", what, "refuse the method: 405", "url-trace")
    connect = look.client.raw(
        f"CONNECT {mark}.example:443 HTTP/1.1\r\nHost: {mark}.example:443\r\n\r\n".encode()
    )
    is_tunnel = connect.status == 200 and not connect.body
    if is_tunnel:
        what = "CONNECT is answered with 200: anybody can reach other machines through this one"
        yield look.fault("CONNECT", what, "refuse the method: 405", "url-proxy")
    if not is_tunnel and not (trace.status == 200 and mark in trace.text):
        yield look.ok("TRACE and CONNECT are refused", "url-trace")
