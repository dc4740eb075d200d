"""The guards of a mount as rules, in their order; and those that httpd does not have (yet).

A guard that a user asked for and httpd has not is a problem at plan; one that every site has by default is a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from portico.errors import Problem
from portico.plan.gateway.httpd.access import access_choices, access_headers, said
from portico.plan.gateway.httpd.allow_list import allow_list_choice, allow_list_headers, unlisted
from portico.plan.gateway.httpd.bans import banned, client_choice, dry_run, dry_settings
from portico.plan.gateway.httpd.crawlers import crawler_choice, unwanted
from portico.plan.gateway.httpd.pages import maintenance_rules
from portico.plan.gateway.httpd.password import (
    MODULES,
    asks_password,
    password_choice,
    password_sections,
    user_headers,
)
from portico.plan.gateway.httpd.syntax import Directive
from portico.plan.gateway.httpd.waf import exempt_choice, inspects, waf_rules
from portico.plan.web.guards import (
    Asked,
    Certificate,
    FairShare,
    FromNetworks,
    Guard,
    HeadSize,
    InProgress,
    Inspection,
    Known,
    Methods,
    NoScanner,
    NotBanned,
    NotDenied,
    NotElsewhere,
    Open,
    Passed,
    Password,
    PlainPath,
    RequestRate,
    WantedCrawler,
)
from portico.plan.web.model import Web

_NGINX = 'use nginx (gateway = "nginx"), or leave it out'
_UNDONE: dict[type[Guard], tuple[str, str]] = {
    RequestRate: ("limits.rate", "counts no requests of a client"),
    InProgress: ("limits.in_progress", "counts no requests in progress"),
}
"""Guards that somebody must have asked for: the option, and what a gateway = "apache" does not do."""
_BY_DEFAULT: dict[type[Guard], str] = {
    FairShare: "in an overload httpd waits for room in the app's queue (no 503 at once), and does not share the app "
    "fairly among clients",
}
"""Guards that a site has without asking."""
PASSED_ON = frozenset({*_UNDONE, *_BY_DEFAULT, Asked, Passed, HeadSize, NotElsewhere})
"""Guards without rules here. HeadSize: httpd limits each header and their number instead. Asked and Passed: the
abilities that they need are missing (`Ability.HEALTH`, `Ability.SIGNED`), and the plan says so.
"""
OF_ABILITIES = ("access.auth", "guard.challenge")
"""The options of those two."""


def guarded(web: Web, guards: Sequence[Guard]) -> list[Directive]:
    """The rules of every guard, in order; each either ends the search with an answer or lets the request pass."""
    made = list[Directive]()
    for guard in guards:
        made += _rules(web, guard)
    return made


def choices(web: Web) -> list[Directive]:
    """In a virtual host, before the rules of every mount: what the guards compare."""
    return [
        *(client_choice() if web.bans or web.guesses or web.crawlers else []),
        *access_choices(web),
        *password_choice(web),
        *dry_run(web),
        *crawler_choice(web),
    ]


def late_choices(web: Web) -> list[Directive]:
    """In a virtual host, behind everything else that is noted: what looks at that."""
    return [*allow_list_choice(web), *exempt_choice(web)]


def guard_headers(web: Web) -> list[Directive]:
    """In a virtual host: the headers of refusals."""
    return [*access_headers(web), *allow_list_headers(web), *user_headers(web)]


def guard_sections(web: Web) -> list[Directive]:
    """In a virtual host: what asks a client after every rule."""
    return [*password_sections(web), *waf_rules(web)]


def guard_settings(web: Web) -> list[Directive]:
    """In a virtual host: variables before every rule."""
    return dry_settings() if any(one and one.is_dry_run for one in (web.bans, web.crawlers)) else []


def guard_modules(web: Web) -> list[str]:
    """The modules of guards."""
    return [*MODULES] if web.access.users else []


def _rules(web: Web, guard: Guard) -> list[Directive]:
    match guard:
        case Open(directory):
            return maintenance_rules(directory)
        case PlainPath() | NotDenied() | FromNetworks() | Methods() | Certificate():
            return said(guard)
        case NotBanned(bans):
            return banned(bans)
        case WantedCrawler(crawlers):
            return unwanted(crawlers)
        case NoScanner() | Known():
            return unlisted(guard)
        case Inspection():
            return inspects(guard)
        case Password():
            return asks_password(web, guard)
        case (
            NotElsewhere()
            | HeadSize() | Passed() | RequestRate() | InProgress() | FairShare()
            | Asked()
        ):  # fmt: skip
            return []
        case _:
            assert_never(guard)


def undone(web: Web) -> list[Problem]:
    """A problem for each option that asks for a guard that httpd has not: each one opens what the user wants closed."""
    found = dict[str, Problem]()
    for guard in web.chains.every:
        if type(guard) in _UNDONE:
            option, does = _UNDONE[type(guard)]
            cause = _cause(guard) or web.site.cause(option)
            where, _, word = cause.partition(": ")
            found.setdefault(
                cause, Problem(where, f"{word or option}: with Apache httpd, Portico {does}", _NGINX)
            )
    return list(found.values())


def _cause(guard: Guard) -> str:
    """Of a guard that more than one option makes."""
    match guard:
        case RequestRate(rate):
            return rate.cause
        case InProgress(share):
            return share.cause
        case _:
            return ""


def notes(web: Web) -> list[str]:
    """What every site has with nginx, and this one has not."""
    kinds = dict.fromkeys(type(guard) for guard in web.chains.every)
    return [_BY_DEFAULT[kind] for kind in kinds if kind in _BY_DEFAULT]
