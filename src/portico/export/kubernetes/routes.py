"""The rules of an HTTPRoute: everything goes to the site's pods, except what [[route]] sends to another site.

Redirects, pages, folders and servers elsewhere stay within the pod, whose web server has them anyway.
https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.errors import Problem
from portico.export.kubernetes.model import Cluster
from portico.export.kubernetes.names import object_name
from portico.export.kubernetes.tree import Because, Named, Tree
from portico.plan.web.routing.model import Route
from portico.site.routing import RouteRule, ToSite

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_MOST_RULES = 16
_PORT = 80


def leave(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """All of them if one leads to another site, else none: then the pod alone decides."""
    return routes if any(isinstance(one.rule.target, ToSite) for one in routes) else ()


def impossible(routes: tuple[Route, ...]) -> Iterator[Problem]:
    """What a rule that leads to another site asks for, and an HTTPRoute cannot say."""
    number = sum(len(one.rule.conditions.methods) or 1 if one.prefix else 1 for one in leave(routes))
    if number >= _MOST_RULES:
        what = f"{number} rules, and an HTTPRoute has at most {_MOST_RULES} with the site's own"
        yield Problem(routes[-1].rule.cause, what, "leave some out, or write the HTTPRoute by hand")
    for one in routes:
        if isinstance(one.rule.target, ToSite) and (why := _why_not(one.rule)):
            hint = "leave the condition out, or route it by hand in the cluster"
            yield Problem(one.rule.cause, f"to = {one.rule.word}: an HTTPRoute cannot say {why}", hint)


def _why_not(rule: RouteRule) -> str:
    said = rule.conditions
    if said.share:
        return "which share of the clients (it draws each request anew)"
    if said.hosts:
        return "which of the names, beside the names of the route"
    if len(said.cookies) > 1:
        return "two conditions on one header (two cookies)"
    if other := set(said.methods) - METHODS:
        return f"the method {sorted(other)[0]}"
    return ""


def rules(cluster: Cluster) -> list[Tree]:
    made = [one for route in cluster.routes for one in _rules(route)]
    if not any(one.rule.is_plain and one.rule.path == cluster.path for one in cluster.routes):
        made.append({"matches": [_path(cluster.path)], **_to(Named())})
    return made


def _rules(one: Route) -> Iterator[Tree]:
    rule, target = one.rule, one.rule.target
    matches = _matches(rule)
    if not isinstance(target, ToSite):
        yield Because(f"{rule.cause}: the pod has it", {"matches": matches, **_to(Named())})
        return
    why, to = f"{rule.cause}: another site, exported by itself", _to(object_name(target.name))
    if not one.prefix:
        yield Because(why, {"matches": matches, **to})
        return
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    filters = [{"type": "URLRewrite", "urlRewrite": {"path": path}}]
    # A rule that replaces a prefix has exactly one match.
    yield from (Because(why, {"matches": [match], "filters": filters, **to}) for match in matches)


def _to(service: Tree) -> dict[str, Tree]:
    return {
        "backendRefs": [{"name": service, "port": _PORT}],
        "timeouts": {
            "request": Because(
                "None of the gateway's own: request_timeout decides, and streams may last.", "0s"
            )
        },
    }


def _matches(rule: RouteRule) -> list[Tree]:
    said = rule.conditions
    headers: list[Tree] = [_header(name, value) for name, value in said.headers]
    headers += [
        {"type": "RegularExpression", "name": "Cookie", "value": _cookie(name, value)}
        for name, value in said.cookies
    ]
    made = _path(rule.path) | ({"headers": headers} if headers else {})
    return [made | {"method": one} for one in said.methods] or [made]


def _path(path: str) -> dict[str, Tree]:
    return {"path": {"type": "PathPrefix", "value": path}}


def _header(name: str, value: str) -> Tree:
    if value == "*":
        return {"type": "RegularExpression", "name": name, "value": ".+"}
    return {"type": "Exact", "name": name, "value": value}


def _cookie(name: str, value: str) -> str:
    wanted = "[^;]*" if value == "*" else re.escape(value)
    return f"^(.*; *)?{re.escape(name)}={wanted}(;.*)?$"
