"""Access to paths: the path chooses a rule in a map, then the rule's list of networks or methods decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from portico.plan.gateway.networks import halved
from portico.plan.gateway.nginx.app.checks import check_pages
from portico.plan.gateway.nginx.bans import ban_page
from portico.plan.gateway.nginx.by_path import by_path
from portico.plan.gateway.nginx.crawlers import crawler_page
from portico.plan.gateway.nginx.log.text import GUARD, refusing
from portico.plan.gateway.nginx.names import location, variable
from portico.plan.gateway.nginx.pages import error_pages, unreadable
from portico.plan.gateway.nginx.password import password_pages
from portico.plan.gateway.nginx.routing.choice import rule_page
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.web.access import Allowed, ByPath, Denied, Taken, Verified
from portico.plan.web.guards import (
    Asked,
    Certificate,
    FromNetworks,
    Guard,
    Methods,
    NotDenied,
    Password,
    PlainPath,
)
from portico.plan.web.model import Web
from portico.plan.web.pages import OF_GUARDS
from portico.plan.web.refusals import (
    CERTIFICATE,
    INTERNAL,
    METHOD,
    NETWORK,
    PATH,
    ROUTES,
    SCANNER,
    STATUSES,
)
from portico.plan.web.routing.build import every_guard

Said = PlainPath | NotDenied | FromNetworks | Methods | Certificate
"""The guards that nginx decides by the head of a request alone."""
_REFUSED = 461
"""An otherwise unused status that nginx handles internally; no client sees it."""
_STATUSES = (400, 403, 404, 405)
"""@portico_refused answers the refusals with these statuses: all but those of `_ELSEWHERE`."""
_ELSEWHERE = frozenset({*OF_GUARDS, SCANNER, ROUTES})
"""Refusals that lead to a page of their own, or to @portico_unlisted."""
_NO_METHOD = "-"
"""The Allow header of a 405 without any allowed method: another spelling of a path whose rules share no method."""
_HIDDEN = "2"
"""The value of a network list for clients without access if the path is hidden; else it is 1."""
_SLASH = r"/|\\|%2f|%5c"
_DOTS = rf"~*^[^?]*(?:#|(?:{_SLASH})(?:\.|%2e){{1,2}}(?:{_SLASH}|;|%3b|\?|$))"
"""Some servers treat a backslash as a slash (IIS), or ignore the text after a semicolon (Tomcat). nginx drops a `#` and
what follows it; some servers keep it as a part of the path (Gunicorn with an ASGI app).
"""
_ALLOW = "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6"
N = TypeVar("N", Allowed, Denied)


def access_maps(web: Web) -> list[Directive]:
    """At `http` level: the lists, and the maps from a request's path to its list."""
    access, made = web.access, list[Directive]()
    if access.denied:
        made += _lists(web, "denied", access.denied)
    if access.allowed:
        made += _lists(web, "outside", access.allowed)
    if access.methods:
        made += _methods(web, access.methods)
    if access.certificates:
        made += _certificates(web, access.certificates)
    if _refuses_dots(web):
        made.append(
            entries(
                "map", "$request_uri", variable(web, "dotted"), table=[("default", ""), (_DOTS, "1")],
                why="1 for a path with a segment of dots or a #, which nginx resolves and the app may not",
            )
        )  # fmt: skip
    return made


def said(web: Web, guard: Said) -> list[Directive]:
    """In a location: refuses requests that this guard does not let through."""
    match guard:
        case PlainPath():
            why = "nginx chooses by the path with its dots resolved, and the app gets the path as it came"
            return [refuse(f"({variable(web, 'dotted')})", PATH, why, "")]
        case NotDenied(networks):
            why = "the client's network is refused here"
            return [refuse(f"({variable(web, 'denied')})", NETWORK, why, _cause(networks))]
        case FromNetworks(networks):
            return _from_networks(web, networks)
        case Methods(methods):
            why = "this method is not taken here"
            return [refuse(f"({variable(web, 'wrong_method')})", METHOD, why, _cause(methods))]
        case Certificate(certificates):
            why = "the client has shown no certificate that is known here"
            return [refuse(f"({variable(web, 'unverified')})", CERTIFICATE, why, _cause(certificates))]


def refusal(web: Web, guards: Sequence[Guard]) -> list[Directive]:
    """Where refused requests are sent: at server level, and in locations with error pages of their own."""
    pages = password_pages(web) if any(isinstance(guard, Password) for guard in guards) else []
    pages = check_pages(web) if any(isinstance(guard, Asked) for guard in guards) else pages
    pages = [*rule_page(web, guards), *ban_page(web, guards), *crawler_page(web, guards), *pages]
    if not _refused_here(guards):
        return pages
    return [
        *pages,
        directive(
            "error_page", _REFUSED, "=", location(web, "refused"),
            why="a request that may not come here is answered in one place",
        )
    ]  # fmt: skip


def refused_location(web: Web) -> list[Directive]:
    """Answers refused requests, by guard."""
    refused = _refused_here(every_guard(web.routing, web.chains))
    if not refused:
        return []
    return [
        block(
            "location", location(web, "refused"), why="reached when a guard did not let a request through",
            of=[
                *unreadable(),
                *error_pages(403, 404, 405),
                *(_if_by(guard, status) for guard, status in refused.items() if status != 403),
                directive("return", 403, why="the client may not come here"),
            ],
        )
    ]  # fmt: skip


def page_headers(web: Web) -> list[Directive]:
    """The headers of an error page of a refused request."""
    if not web.access.methods:
        return []
    why = "a 405 names the methods that are taken; empty, and not sent, with any other status"
    return [directive("add_header", "Allow", variable(web, "allow"), "always", why=why, source=_ALLOW)]


def _refused_here(guards: Iterable[Guard]) -> dict[str, int]:
    """The refusals of these guards that lead to @portico_refused, by name, with their statuses."""
    names = {name for guard in guards for name in guard.refused_by} - _ELSEWHERE
    found = sorted((STATUSES[name], name) for name in names)
    return {name: status for status, name in found if status in _STATUSES}


def _refuses_dots(web: Web) -> bool:
    return any(isinstance(guard, PlainPath) for guard in every_guard(web.routing, web.chains))


def _if_by(guard: str, status: int) -> Directive:
    return block(
        "if", f"({GUARD}", "=", f"{guard})", why="each guard has its own answer",
        of=[directive("return", status, why=f"what {guard} answers")],
    )  # fmt: skip


def refuse(condition: str, guard: str, why: str, cause: str) -> Directive:
    """The lines of a guard that refuses where this condition is true: the request ends in @portico_refused."""
    return block(
        "if", condition, why=why, cause=cause,
        of=[refusing(guard), directive("return", _REFUSED, why="leads to @portico_refused, never to the client")],
    )  # fmt: skip


def _from_networks(web: Web, networks: ByPath[Allowed]) -> list[Directive]:
    name, cause, made = variable(web, "outside"), _cause(networks), list[Directive]()
    if any(one.is_hidden for one in networks.values):
        made.append(
            block(
                "if", f"({name}", "=", f"{_HIDDEN})", why="no client has access to this path from outside", cause=cause,
                of=[refusing(INTERNAL), directive("return", _REFUSED, why="as if there were nothing")],
            )
        )  # fmt: skip
    if not all(one.is_hidden for one in networks.values):
        made.append(refuse(f"({name})", NETWORK, "the client's network has no access", cause))
    return made


def _cause(choice: ByPath[Allowed] | ByPath[Denied] | ByPath[Taken] | ByPath[Verified]) -> str:
    return "; ".join(dict.fromkeys(one.cause for one in choice.values if one.cause))


def _lists(web: Web, word: str, choice: ByPath[N]) -> list[Directive]:
    names: dict[N, str] = {one: variable(web, f"{word}_{number}") for number, one in enumerate(choice.values)}
    return [
        *(_list(name, one) for one, name in names.items()),
        by_path(web, word, choice, names, "whether the client may not come, by the list that holds for the path"),
    ]  # fmt: skip


def _list(name: str, of: Allowed | Denied) -> Directive:
    if isinstance(of, Denied):
        return entries(
            "geo", name, table=[("default", "0"), *((net, "1") for net in halved(of.networks))],
            why="1 for the networks that are refused", cause=of.cause,
        )  # fmt: skip
    other = _HIDDEN if of.is_hidden else "1"
    return entries(
        "geo", name, table=[("default", other), *((net, "0") for net in halved(of.networks))],
        why="0 for the networks with access", cause=of.cause,
    )  # fmt: skip


def _certificates(web: Web, certificates: ByPath[Verified]) -> list[Directive]:
    names = dict.fromkeys(certificates.values, "1")
    return [
        by_path(web, "certified", certificates, names, "1 where a certificate has to be shown"),
        entries(
            "map", f"{variable(web, 'certified')}:$ssl_client_verify", variable(web, "unverified"),
            table=[("default", ""), ("~^1:", "1"), ("1:SUCCESS", "")],
            why="1 for a client without one that an authority signed", cause=_cause(certificates),
        ),
    ]  # fmt: skip


def _methods(web: Web, methods: ByPath[Taken]) -> list[Directive]:
    names = {one: ", ".join(one.methods) or _NO_METHOD for one in methods.values}
    known = [(f"{names[one]}:{method}", "") for one in names for method in one.methods]
    name = variable(web, "methods")
    return [
        by_path(web, "methods", methods, names, "the methods that are taken for the path"),
        entries(
            "map", f"{name}:$request_method", variable(web, "wrong_method"),
            table=[("default", "1"), ("~^:", ""), *known],
            why="1 for a method that is not taken", cause=_cause(methods),
        ),
        entries(
            "map", GUARD, variable(web, "allow"), table=[("default", ""), (METHOD, name)],
            why="what a 405 says of the methods", cause=_cause(methods),
        ),
    ]  # fmt: skip
