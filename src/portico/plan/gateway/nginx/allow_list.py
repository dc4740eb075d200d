"""The app's rules as maps: one expression for many rules, made as a tree of what they begin with.

nginx's own path ($uri) is what the app sees: decoded once, dots resolved, slashes as they came. A map tells what the
app takes there; what it does not take leaves its location before a body is read, and ends in @portico_unlisted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.plan.gateway.expressions import by_methods
from portico.plan.gateway.nginx.log.text import GUARD, refusing
from portico.plan.gateway.nginx.names import location, variable
from portico.plan.gateway.nginx.pages import error_pages
from portico.plan.gateway.nginx.reference import link
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries, size
from portico.plan.web.access import ByPath, Users
from portico.plan.web.allow_list import Allowed, AllowList
from portico.plan.web.guards import Known, NoScanner
from portico.plan.web.model import Web
from portico.plan.web.refusals import ROUTES, SCANNER

_REFUSED, _MIXED = 440, 441
"""Statuses no layer uses otherwise; they never leave nginx."""
_ANY = "any"
_MAP = link("map")
_ALLOW = "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6"
_WORDS: dict[type[NoScanner | Known], str] = {NoScanner: "scanned", Known: "unlisted"}


def allow_list_maps(web: Web) -> list[Directive]:
    """At `http` level: what the app takes at a path, and what of a request it does not take."""
    known = web.allow_list
    if known is None:
        return []
    made = [
        entries(
            "map", "$uri", variable(web, "known"), table=[("default", ""), *_rows(known.allowed)], cause=known.cause,
            why="the methods that the app's own rules take at this path, or any; nothing where no rule takes it",
        )
    ]  # fmt: skip
    if known.shows_page:
        made.append(
            entries(
                "map", "$request_method:$http_accept", variable(web, "browses"), cause=known.cause,
                table=[("default", ""), ("~*^(?:GET|HEAD):.*text/html", "1")],
                why="1 for a browser that goes to a page: the app shows it a page of its own",
            )
        )  # fmt: skip
    if known.users:
        made.append(_asks(web, known.users))
    return [*made, *_unlisted(web, known), *_scanned(web, known)]


def leave(web: Web, guard: NoScanner | Known) -> Directive:
    """In a location of the app: redirects refused requests internally."""
    why = {
        NoScanner: "a path that scanners try, and that no rule of the app takes",
        Known: "no rule of the app takes this path, or the method there",
    }[type(guard)]
    cause = guard.known.scanners_cause if isinstance(guard, NoScanner) else guard.known.cause
    return block(
        "if", f"({variable(web, _WORDS[type(guard)])})", why=why, cause=cause,
        of=[directive("return", _REFUSED, why="leads to @portico_unlisted, never to the client", cause=cause)],
    )  # fmt: skip


def leaving(web: Web) -> list[Directive]:
    """At server level: where such requests are sent."""
    if web.allow_list is None:
        return []
    return [
        directive(
            "error_page", _REFUSED, "=", location(web, "unlisted"),
            why="what no rule of the app takes ends there, unless two releases answer", cause=web.allow_list.cause,
        ),
        directive(
            "error_page", _MIXED, "=", location(web, "unlisted_mixed"),
            why="the same while the rules of two releases hold", cause=web.allow_list.cause,
        ),
        *(error_pages(405) if web.allow_list.is_whole else []),
    ]  # fmt: skip


def unlisted_location(web: Web, left: Sequence[Directive]) -> list[Directive]:
    """Refuses them; `left` is how a request goes on to the app while the rules of two releases hold."""
    known = web.allow_list
    if known is None:
        return []
    refused = [
        *_refused(web, SCANNER, "scanned", "1", 404, "scanners try this path, the app does not have it"),
        *_refused(web, ROUTES, "unlisted", "404", 404, "no rule of the app takes this path"),
        *_refused(
            web,
            ROUTES,
            "unlisted",
            "405",
            405,
            "the app takes this path with other methods: the page says which",
        ),
    ]
    return [
        block(
            "location", location(web, "unlisted"), cause=known.cause,
            why="what no rule of the app takes; reached by refused requests alone",
            of=[_let_through(known), *refused],
        ),
        block(
            "location", location(web, "unlisted_mixed"), cause=known.cause,
            why="the same while the rules of two releases hold: the app decides", of=left,
        ),
    ]  # fmt: skip


def allow_header(web: Web) -> list[Directive]:
    """In the location of error pages: a 405 says which methods there are."""
    if web.allow_list is None or not web.allow_list.is_whole:
        return []
    return [
        directive(
            "add_header", "Allow", variable(web, "takes"), "always", source=_ALLOW, cause=web.allow_list.cause,
            why="the methods that the app takes there; sent with 405 only: nginx leaves an empty header out",
        )
    ]  # fmt: skip


def _unlisted(web: Web, known: AllowList) -> Iterator[Directive]:
    if not known.is_whole:
        return
    cause, passes = known.cause, _passes(web, known)
    yield entries(
        "map", f"{passes}$request_method:{variable(web, 'known')}", variable(web, "unlisted"), cause=cause,
        table=[
            ("default", "405"),
            ("~^[^:]*:any$", ""),
            *((f"~^(?:{'|'.join(methods)}):{', '.join(methods)}$", "") for methods in _methods(known)),
            *([("~^1", "")] if passes else []),
            ("~^OPTIONS:", ""),
            ("~:$", "404"),
        ],
        why="404 for a path that no rule takes, 405 for a method that none takes there; preflights are the app's",
    )  # fmt: skip
    yield entries(
        "map", GUARD, variable(web, "takes"), table=[("default", ""), (ROUTES, variable(web, "known"))], cause=cause,
        why="what a 405 says of the methods that there are",
    )  # fmt: skip


def _scanned(web: Web, known: AllowList) -> Iterator[Directive]:
    if not known.scanners:
        return
    cause, unknown = known.scanners_cause, variable(web, "unknown")
    yield entries(
        "map", _passes(web, known) + variable(web, "known"), unknown, table=[("default", ""), ("", "1")], cause=cause,
        why="1 where no rule of the app takes the path; looked at for scanners' paths only",
    )  # fmt: skip
    probes = [
        directive(f"~*{probe.pattern}", unknown, why=probe.looks_for, cause=cause, source=_MAP)
        for probe in known.scanners
    ]
    yield block(
        "map", "$uri", variable(web, "scanned"), cause=cause,
        why="1 for a path that scanners try and the app does not have",
        of=[directive("default", "", why="all other paths", cause=cause, source=_MAP), *probes],
    )  # fmt: skip


def _passes(web: Web, known: AllowList) -> str:
    """The variable that is 1, or begins with it, while nothing is refused."""
    return variable(web, "asks") * (known.users is not None) + variable(web, "browses") * known.shows_page


def _asks(web: Web, users: ByPath[Users]) -> Directive:
    rows = [
        (f"~{'*' if row.ignores_case else ''}{row.pattern}", "1" if row.value else "") for row in users.rows
    ]
    return entries(
        "map", "$uri", variable(web, "asks"), table=[("default", "1" if users.rest else ""), *rows],
        cause="; ".join(dict.fromkeys(one.cause for one in users.values)),
        why="1 where a password is asked for: a refusal would reveal which routes exist",
    )  # fmt: skip


def _methods(known: AllowList) -> list[tuple[str, ...]]:
    return sorted({allowed.methods for allowed in known.allowed if allowed.methods})


def _let_through(known: AllowList) -> Directive:
    """To a location of its own: one whose `if` holds would no longer hand its requests on to a firewall."""
    leaves = directive("return", _MIXED, why="leads to @portico_unlisted_mixed, never to the client")
    return block(
        "if", "(-f", f"{known.mixed})",
        why="this file exists while a canary answers, too, and for seconds after a switch", of=[leaves],
    )  # fmt: skip


def _refused(web: Web, guard: str, word: str, value: str, status: int, why: str) -> list[Directive]:
    if not any(isinstance(one, _guard(word)) for one in web.chains.site):
        return []
    return [
        block(
            "if", f"({variable(web, word)}", "=", f"{value})", why=why,
            of=[refusing(guard), directive("return", status, why=why)],
        )
    ]  # fmt: skip


def _guard(word: str) -> type[NoScanner | Known]:
    return next(guard for guard, its in _WORDS.items() if its == word)


def _rows(allowed: tuple[Allowed, ...]) -> list[tuple[str, str]]:
    """Rows of a map: the first expression that matches counts."""
    return [
        (f"~{expression}", ", ".join(methods) or _ANY) for expression, methods in by_methods(allowed, size)
    ]
