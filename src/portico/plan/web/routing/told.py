"""Which rule takes a request, in words: for `portico explain --why`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.plan.web.access import Answer
from portico.site.routing import RouteRule, is_below


def told(rules: Sequence[RouteRule], method: str, host: str, path: str) -> list[Answer]:
    """A line for each rule, in the order in which they are tried. `path` is decoded. Conditions on headers, cookies and
    the client are named: those are not known here.
    """
    made, taker = list[Answer](), 0
    for one in rules:
        words = f"number {taker} has taken it" if taker else _judged(one, method, host, path)
        made.append(Answer("route", f"number {one.number}, {one.path} to {one.word}: {words}", one.cause))
        taker = taker or (one.number if words == _TAKES else 0)
    if rules and not taker:
        made.append(Answer("route", "this site itself takes the request if none of them does", ""))
    return made


_TAKES = "takes the request"


def _judged(one: RouteRule, method: str, host: str, path: str) -> str:
    asked = one.conditions
    if not is_below(path, one.path):
        return "another path"
    if asked.hosts and host.lower() not in asked.hosts:
        return f"another host than {' or '.join(asked.hosts)}"
    if asked.methods and method not in asked.methods:
        return f"another method than {' or '.join(asked.methods)}"
    more = list(_unknown(one))
    return f"takes the request {' and '.join(more)}" if more else _TAKES


def _unknown(one: RouteRule) -> Iterator[str]:
    asked = one.conditions
    yield from (f"if it has the header {name}{_value(value, ': ')}" for name, value in asked.headers)
    yield from (f"if it has the cookie {name}{_value(value, '=')}" for name, value in asked.cookies)
    if asked.share:
        yield f"of {asked.share:g}% of the clients"


def _value(value: str, between: str) -> str:
    return "" if value == "*" else f"{between}{value}"
