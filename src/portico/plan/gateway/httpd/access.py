"""Access to paths: rules choose a value by path, then the client's network, method or certificate is compared with it.

The choices come first, as variables; each mount then refuses by them. They are rules, because only a rule sees the
decoded path. Of the rows of a choice the first that matches counts, so they are written from the last to the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from portico.plan.gateway.httpd.names import GUARD, URI
from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.gateway.networks import halved
from portico.plan.web.access import Allowed, ByPath, Denied, Taken, Verified
from portico.plan.web.guards import Certificate, FromNetworks, Methods, NotDenied, PlainPath
from portico.plan.web.model import Web
from portico.plan.web.refusals import CERTIFICATE, INTERNAL, METHOD, NETWORK, PATH, STATUSES

Said = PlainPath | NotDenied | FromNetworks | Methods | Certificate
"""The guards that the head of a request decides alone."""
CLOSED = "PORTICO_CLOSED"
"""1 for a path that is not for everybody: no cache between the site and a client stores its files."""
_DENIED, _ALLOWED, _METHODS, _CERTIFIED = (
    "PORTICO_DENIED", "PORTICO_ALLOWED", "PORTICO_METHODS", "PORTICO_CERTIFIED",
)  # fmt: skip
"""The number of the value that holds for the path; empty for none."""
_REFUSED, _OUTSIDE, _WRONG = "PORTICO_REFUSED", "PORTICO_OUTSIDE", "PORTICO_WRONG_METHOD"
_HIDDEN = "2"
_SLASH = r"/|\\|%2f|%5c"
_DOTS = rf"^[^?]*(?:#|(?:{_SLASH})(?:\.|%2e){{1,2}}(?:{_SLASH}|;|%3b|\?|$))"
"""As nginx's: some servers treat a backslash as a slash, ignore the text after a semicolon, or keep a `#`."""
_NO_METHOD = "-"
_NETWORKS = 50
"""So many in one condition."""
ALLOW = "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6"
_RULE = "https://httpd.apache.org/docs/2.4/expr.html"
T = TypeVar("T")


def access_choices(web: Web) -> list[Directive]:
    """In a virtual host, before the rules of the mounts: which value holds for the path, and what the client lacks."""
    access, made = web.access, list[Directive]()
    if access.denied:
        made += by_path(access.denied, _DENIED, "the networks that are refused here")
        for number, denied in enumerate(access.denied.values):
            made += _among(_DENIED, number, denied.networks, f"{_REFUSED}:1", denied.cause)
    if access.allowed:
        made += by_path(access.allowed, _ALLOWED, "the networks with access here")
        for number, allowed in enumerate(access.allowed.values):
            made += _outside(number, allowed)
    if access.methods:
        made += by_path(access.methods, _METHODS, "the methods that are taken here")
        for number, taken in enumerate(access.methods.values):
            made += _wrong_method(number, taken)
    if access.certificates:
        made += by_path(access.certificates, _CERTIFIED, "where a certificate has to be shown")
    if access.closed:
        made += by_path(access.closed, CLOSED, "where not everybody may come", {True: "1"})
    return made


def said(guard: Said) -> list[Directive]:
    """The rules of a mount: refuse requests that this guard does not let through."""
    match guard:
        case PlainPath():
            why = "httpd chooses by the path with its dots resolved, and the app gets the path as it came"
            return [is_set(URI, _DOTS, why, "", "[NC]"), refuse(PATH, why, "")]
        case NotDenied(networks):
            why, cause = "the client's network is refused here", cause_of(networks)
            return [is_set(_REFUSED, "=1", why, cause), refuse(NETWORK, why, cause)]
        case FromNetworks(networks):
            return _from_networks(networks)
        case Methods(methods):
            why, cause = "this method is not taken here", cause_of(methods)
            return [is_set(_WRONG, "=1", why, cause), refuse(METHOD, why, cause)]
        case Certificate(certificates):
            why, cause = "the client has shown no certificate that is known here", cause_of(certificates)
            verified = directive("RewriteCond", "%{SSL:SSL_CLIENT_VERIFY}", "!=SUCCESS", why=why, cause=cause)
            return [is_set(_CERTIFIED, "!^$", why, cause), verified, refuse(CERTIFICATE, why, cause)]


def access_headers(web: Web) -> list[Directive]:
    """In a virtual host: what a 405 says of the methods."""
    methods = web.access.methods
    why = "a 405 names the methods that are taken"
    return [
        directive(
            "Header", "always", "set", "Allow", ", ".join(taken.methods) or _NO_METHOD,
            f"expr=reqenv('REDIRECT_{GUARD}') == '{METHOD}' && reqenv('REDIRECT_{_METHODS}') == '{number}'",
            why=why, cause=taken.cause, source=ALLOW,
        )
        for number, taken in enumerate(methods.values if methods else ())
    ]  # fmt: skip


def refuse(guard: str, why: str, cause: str, status: int = 0) -> Directive:
    """The rule that ends the search with the answer of this guard, and says so to the log line."""
    flags = f"[R={status or STATUSES[guard]},L,E={GUARD}:{guard}]"
    return directive("RewriteRule", "^", "-", flags, why=why, cause=cause)


def by_path(choice: ByPath[T], name: str, why: str, words: Mapping[T, str] | None = None) -> list[Directive]:
    """Sets the variable to the number (or word) of the value that holds for the path; it is empty where none does."""
    known = words or {value: str(number) for number, value in enumerate(choice.values)}

    def chosen(value: T | None) -> str:
        return f"E=!{name}" if value is None else f"E={name}:{known[value]}"

    made = [directive("RewriteRule", "^", "-", f"[{chosen(choice.rest)}]", why=f"{why}: any other path")]
    for row in reversed(choice.rows):
        flags = f"[{chosen(row.value)}{',NC' if row.ignores_case else ''}]"
        if not row.ignores_case:
            made.append(
                is_set(URI, "!^//", "a path as it is written: httpd makes one slash of the first ones", "")
            )
        made.append(directive("RewriteRule", row.pattern, "-", flags, why=f"{why}: {row.what}"))
    return made


def cause_of(choice: ByPath[Allowed] | ByPath[Denied] | ByPath[Taken] | ByPath[Verified]) -> str:
    """The settings that say so."""
    return "; ".join(dict.fromkeys(one.cause for one in choice.values if one.cause))


def is_in(networks: Iterable[str]) -> Iterator[str]:
    """Conditions, one of which is true for a client from one of these networks."""
    known = list(halved(networks))
    for at in range(0, len(known), _NETWORKS):
        yield " || ".join(f"%{{REMOTE_ADDR}} -ipmatch '{net}'" for net in known[at : at + _NETWORKS])


def is_set(name: str, pattern: str, why: str, cause: str, *flags: str) -> Directive:
    return directive("RewriteCond", f"%{{ENV:{name}}}", pattern, *flags, why=why, cause=cause)


def _among(name: str, number: int, networks: Iterable[str], mark: str, cause: str) -> list[Directive]:
    """Marks a client from one of the networks, where this value holds."""
    why = "the client is from one of these networks"
    made = list[Directive]()
    for condition in is_in(networks):
        made += [
            is_set(name, f"={number}", why, cause),
            directive("RewriteCond", "expr", condition, why=why, cause=cause, source=_RULE),
            directive("RewriteRule", "^", "-", f"[E={mark}]", why=why, cause=cause),
        ]
    return made


def _outside(number: int, allowed: Allowed) -> list[Directive]:
    """Marks every client where this value holds, and takes the mark from those of the networks."""
    why, mark = "no access, unless a line below says so", _HIDDEN if allowed.is_hidden else "1"
    return [
        is_set(_ALLOWED, f"={number}", why, allowed.cause),
        directive("RewriteRule", "^", "-", f"[E={_OUTSIDE}:{mark}]", why=why, cause=allowed.cause),
        *_among(_ALLOWED, number, allowed.networks, f"{_OUTSIDE}:0", allowed.cause),
    ]


def _wrong_method(number: int, taken: Taken) -> list[Directive]:
    why, named = "a method that is not taken", "|".join(taken.methods)
    return [
        is_set(_METHODS, f"={number}", why, taken.cause),
        directive(
            "RewriteCond", "%{REQUEST_METHOD}", f"!^(?:{named or '(?!)'})$", why=why, cause=taken.cause
        ),
        directive("RewriteRule", "^", "-", f"[E={_WRONG}:1]", why=why, cause=taken.cause),
    ]


def _from_networks(networks: ByPath[Allowed]) -> list[Directive]:
    cause, made = cause_of(networks), list[Directive]()
    if any(one.is_hidden for one in networks.values):
        why = "no client has access to this path from outside: as if there were nothing"
        made += [is_set(_OUTSIDE, f"={_HIDDEN}", why, cause), refuse(INTERNAL, why, cause)]
    if not all(one.is_hidden for one in networks.values):
        why = "the client's network has no access"
        made += [is_set(_OUTSIDE, "=1", why, cause), refuse(NETWORK, why, cause)]
    return made
