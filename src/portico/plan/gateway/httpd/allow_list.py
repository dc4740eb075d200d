"""The app's rules: a rule of the virtual host notes what of a request no rule of the app takes, each mount refuses it.

httpd's own path is what the app sees: decoded once, dots resolved. Of slashes at its beginning httpd makes one, so for
such a path no method is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.gateway.expressions import by_methods
from portico.plan.gateway.httpd.access import ALLOW, is_set, refuse
from portico.plan.gateway.httpd.files.spa import NAVIGATES
from portico.plan.gateway.httpd.names import GUARD, URI
from portico.plan.gateway.httpd.password import USERS
from portico.plan.gateway.httpd.syntax import Directive, directive, quote
from portico.plan.web.allow_list import AllowList
from portico.plan.web.guards import Known, NoScanner
from portico.plan.web.model import Web
from portico.plan.web.refusals import ROUTES, SCANNER

_UNLISTED, _SCANNED = "PORTICO_UNLISTED", "PORTICO_SCANNED"
"""`path` where no rule of the app takes the path, else the number of the methods that are taken instead; 1 for a path
of scanners.
"""
_NO_PATH = "path"


def allow_list_choice(web: Web) -> list[Directive]:
    """In a virtual host, before the rules of the mounts and behind what they look at here."""
    known = web.allow_list
    return [] if known is None else [*_unlisted(known), *_scanned(known), *_passes(web, known)]


def unlisted(guard: NoScanner | Known) -> list[Directive]:
    """The rules of a mount: refuse what was noted."""
    known = guard.known
    if isinstance(guard, NoScanner):
        why, cause = "a path that scanners try, and that no rule of the app takes", known.scanners_cause
        return [is_set(_SCANNED, "=1", why, cause), refuse(SCANNER, why, cause)]
    why, wrong, cause = "no rule of the app takes this path", "nor the method there", known.cause
    return [
        is_set(_UNLISTED, f"={_NO_PATH}", why, cause),
        refuse(ROUTES, why, cause),
        is_set(_UNLISTED, "!^$", wrong, cause),
        refuse(ROUTES, wrong, cause, 405),
    ]


def allow_list_headers(web: Web) -> list[Directive]:
    """In a virtual host: a 405 says which methods there are."""
    known = web.allow_list
    if known is None:
        return []
    why = "the methods that the app takes there; sent with 405 only"
    return [
        directive(
            "Header", "always", "set", "Allow", ", ".join(methods),
            f"expr=reqenv('REDIRECT_{GUARD}') == '{ROUTES}' && reqenv('REDIRECT_{_UNLISTED}') == '{number}'",
            why=why, cause=known.cause, source=ALLOW,
        )
        for number, methods in enumerate(_methods(known))
    ]  # fmt: skip


def _unlisted(known: AllowList) -> Iterator[Directive]:
    """Of the expressions the first that matches counts, so that one is the last here."""
    numbers, cause = {methods: number for number, methods in enumerate(_methods(known))}, known.cause
    why = "no rule of the app takes this path, unless one below does"
    yield directive("RewriteRule", "^", "-", f"[E={_UNLISTED}:{_NO_PATH}]", why=why, cause=cause)
    why = "the paths that the app's own rules take, with the number of their methods, if those are known"
    for expression, methods in reversed(by_methods(known.allowed, _size)):
        flag = f"E={_UNLISTED}:{numbers[methods]}" if methods else f"E=!{_UNLISTED}"
        yield directive("RewriteRule", expression, "-", f"[{flag}]", why=why, cause=cause)
    for methods, number in numbers.items():
        why = "a method that the app takes there"
        yield is_set(_UNLISTED, f"={number}", why, cause)
        taken = f"^(?:{'|'.join(methods)})$"
        yield directive("RewriteCond", "%{REQUEST_METHOD}", taken, "[OR]", why=why, cause=cause)
        twice = "a path that httpd does not see as it was written: the app decides about methods"
        yield is_set(URI, "^//", twice, cause)
        yield directive("RewriteRule", "^", "-", f"[E=!{_UNLISTED}]", why=why, cause=cause)


def _scanned(known: AllowList) -> Iterator[Directive]:
    if not known.scanners:
        return
    cause, why = known.scanners_cause, "a path that a rule of the app takes is none of scanners'"
    yield is_set(_UNLISTED, f"!={_NO_PATH}", why, cause)
    yield directive("RewriteRule", "^", "-", f"[S={len(known.scanners)}]", why=why, cause=cause)
    for probe in known.scanners:
        yield directive(
            "RewriteRule", probe.pattern, "-", f"[NC,E={_SCANNED}:1]", why=probe.looks_for, cause=cause
        )


def _passes(web: Web, known: AllowList) -> Iterator[Directive]:
    """Requests that are the app's, whatever was noted."""
    cause = known.cause
    nothing = f"[E=!{_UNLISTED},E=!{_SCANNED}]"
    if known.users:
        why = "a password is asked for: a refusal would reveal which routes exist"
        yield is_set(USERS, "!^$", why, cause)
        yield directive("RewriteRule", "^", "-", nothing, why=why, cause=cause)
    if known.shows_page or web.spa:
        why = "a browser that goes to a page: the app shows it a page of its own"
        yield from _browses(known) if known.shows_page else [is_set(NAVIGATES, "=1", why, cause)]
        yield directive("RewriteRule", "^", "-", nothing, why=why, cause=cause)
    why = "this file exists while a canary answers, too, and for seconds after a switch"
    yield is_set(_UNLISTED, "!^$", "only what would be refused needs this look", cause)
    yield directive("RewriteCond", known.mixed, "-f", why=why, cause=cause)
    yield directive("RewriteRule", "^", "-", nothing, why=why, cause=cause)
    why = "preflights and other questions for methods are the app's"
    yield directive("RewriteCond", "%{REQUEST_METHOD}", "=OPTIONS", why=why, cause=cause)
    yield directive("RewriteRule", "^", "-", f"[E=!{_UNLISTED}]", why=why, cause=cause)


def _browses(known: AllowList) -> Iterator[Directive]:
    why = "a browser that goes to a page says text/html"
    yield directive("RewriteCond", "%{REQUEST_METHOD}", "^(?:GET|HEAD)$", why=why, cause=known.cause)
    yield directive(
        "RewriteCond", "expr", "req_novary('Accept') =~ m#text/html#i", why=why, cause=known.cause
    )


def _methods(known: AllowList) -> list[tuple[str, ...]]:
    return sorted({allowed.methods for allowed in known.allowed if allowed.methods})


def _size(text: str) -> int:
    return len(quote(text).encode())
