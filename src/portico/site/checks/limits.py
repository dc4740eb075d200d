"""Rules for the options of [limits] and the limits of routes, beyond their types."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator

from portico.proxy_headers import kind
from portico.site.checks.rule import Broken, BrokenRule, Rules
from portico.site.limit import MOST_IN_PROGRESS, OFF, Limit, strange_methods
from portico.site.options import Options
from portico.site.options.edge import Edge
from portico.values import bandwidth

_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_HEADER = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")


def broken_limits(edge: Edge) -> Iterator[BrokenRule]:
    """Every rule that the limits of one route break."""
    for what, hint in _limits(edge.limit, is_route=True):
        yield BrokenRule("limit", f"limit: {what}", hint)
    for what, hint in _speed(edge.bandwidth):
        yield BrokenRule("bandwidth", f"bandwidth: {what}", hint)


def _rate(options: Options) -> Broken:
    yield from _limits(options.limits.rate, is_route=False)
    yield from strange_methods(options.limits.rate)


def _limits(texts: Iterable[str], *, is_route: bool) -> Broken:
    texts = list(texts)
    for text in texts:
        if is_route and text == OFF:
            continue
        try:
            Limit.parse(text)
        except ValueError as error:
            yield f'"{text}" is not a limit', str(error)
    for text in sorted({text for text in texts if texts.count(text) > 1}):
        yield f'"{text}" is set twice', "write it once"


def _in_progress(options: Options) -> Broken:
    yield from _requests(options.limits.in_progress, "0 (no limit)")


def _held(options: Options) -> Broken:
    yield from _requests(options.limits.held, "0 (a share of what this gateway can hold)")


def _requests(count: int, least: str) -> Broken:
    if not 0 <= count <= MOST_IN_PROGRESS:
        yield f"{count} is out of range", f"expected {least} to {MOST_IN_PROGRESS}"


def _bandwidth(options: Options) -> Broken:
    yield from _speed(options.limits.bandwidth)


def _speed(text: str) -> Broken:
    try:
        if text:
            bandwidth(text)
    except ValueError as error:
        yield f'"{text}" is not a bandwidth', str(error)


def _exempt(options: Options) -> Broken:
    for entry in options.limits.exempt:
        try:
            network = ipaddress.ip_network(entry.replace("%", "x"), strict=False)
        except ValueError:
            yield f'"{entry}" is not an address range', "expected a range like 192.0.2.0/24"
            continue
        if network.prefixlen == 0:
            yield f'"{entry}" is the whole internet', "remove the limits instead"


def _session_cookie(options: Options) -> Broken:
    name = options.limits.session_cookie
    if name and not _NAME.fullmatch(name):
        yield f'"{name}" is not a cookie name that the gateway can read', "expected letters, digits and _"


def _account_header(options: Options) -> Broken:
    name = options.limits.account_header
    if not name:
        return
    if not _HEADER.fullmatch(name):
        yield f'"{name}" is not a header name', "expected one like X-Auth-Request-User"
    elif not (options.behind or options.node.gateways):
        yield (
            "no proxy is declared that could send it: any client could choose an account",
            "name it in behind",
        )
    elif kind(name) != "user":
        yield (
            f"{name} is not a header that Portico accepts from proxies only: any client could choose an account",
            "use one of those in docs/trust.md, such as X-Auth-Request-User",
        )


LIMIT_RULES: Rules = {
    "limits.rate": _rate,
    "limits.in_progress": _in_progress,
    "limits.held": _held,
    "limits.bandwidth": _bandwidth,
    "limits.exempt": _exempt,
    "limits.session_cookie": _session_cookie,
    "limits.account_header": _account_header,
}
