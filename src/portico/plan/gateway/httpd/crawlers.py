"""Crawlers: who is refused by the name in its User-Agent, and who uses the name of another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from portico.plan.gateway.httpd.access import is_in
from portico.plan.gateway.httpd.bans import DRY, looked_for
from portico.plan.gateway.httpd.names import AGENT, GUARD
from portico.plan.gateway.httpd.pages import FORBIDDEN
from portico.plan.gateway.httpd.syntax import Directive, directive, regex
from portico.plan.subjects import PlannedClaims
from portico.plan.web.model import Web
from portico.plan.web.pages import CRAWLER as PAGE
from portico.plan.web.refusals import CRAWLER, FORGED
from portico.plan.web.unwanted.bans import NEVER
from portico.plan.web.unwanted.crawlers import ROBOTS, Crawlers

_NAMED = "PORTICO_CRAWLER"
"""The guard that refuses the client by its name; empty for none."""
_MOST_NAMES = 25


def planned(web: Web) -> PlannedClaims | None:
    """What whoever verifies names has to know."""
    crawlers = web.crawlers
    if crawlers is None or not crawlers.claimed:
        return None
    never = tuple(dict.fromkeys((*NEVER, *web.limits.uncounted)))
    return PlannedClaims(crawlers.directory, crawlers.claimed, crawlers.server, never, True)


def crawler_choice(web: Web) -> list[Directive]:
    """Before the rules of the mounts: which guard refuses the name of a client. The first name that it has counts, so
    that one is the last here.
    """
    crawlers = web.crawlers
    if crawlers is None:
        return []
    made = list[Directive]()
    if crawlers.claimed:
        why = "uses the name of a crawler, and is none by DNS: Portico makes a file for it"
        made += [_named(crawlers.claimed, crawlers.dns_cause), looked_for(crawlers.directory, why, crawlers.dns_cause),
                 _is(FORGED, why, crawlers.dns_cause)]  # fmt: skip
    for name, networks in reversed(crawlers.verified):
        made += _verified(name, networks, crawlers)
    cause = crawlers.cause or crawlers.networks_cause
    for some in reversed(list(_some(crawlers.refused))):
        made += [_named(some, cause), _is(CRAWLER, "the name of a crawler that is refused", cause)]
    robots = "|".join(regex(path) for path in dict.fromkeys((ROBOTS, web.prefix + ROBOTS)))
    why = "every crawler may read robots.txt, which says that it is refused"
    made.append(directive("RewriteRule", f"^(?:{robots})$", "-", f"[E=!{_NAMED}]", why=why, cause=cause))
    return [*made, *(_dry_run(crawlers) if crawlers.is_dry_run else [])]


def unwanted(crawlers: Crawlers) -> list[Directive]:
    """The rules of a mount: refuse them."""
    if crawlers.is_dry_run:
        return []
    cause = crawlers.cause or crawlers.networks_cause or crawlers.dns_cause
    why = "the name of a crawler that is refused, or of one that comes from elsewhere"
    flags = f"[R=403,L,E={GUARD}:%1,E={FORBIDDEN}:{PAGE}]"
    return [_which(why, cause), directive("RewriteRule", "^", "-", flags, why=why, cause=cause)]


def _dry_run(crawlers: Crawlers) -> list[Directive]:
    why, cause = "a dry run: only the log line says so", crawlers.dry_run_cause
    return [
        _which(why, cause),
        directive("RewriteRule", "^", "-", f"[E={GUARD}:%1%{{ENV:{DRY}}}]", why=why, cause=cause),
    ]


def _verified(name: str, networks: Iterable[str], crawlers: Crawlers) -> list[Directive]:
    cause, made = crawlers.networks_cause, list[Directive]()
    made += [_named([name], cause), _is(FORGED, f"not from the networks that {name} comes from", cause)]
    for condition in is_in(networks):
        why = f"from the networks that {name} comes from"
        made += [
            _named([name], cause),
            directive("RewriteCond", "expr", condition, why=why, cause=cause),
            directive("RewriteRule", "^", "-", f"[E=!{_NAMED}]", why=why, cause=cause),
        ]
    return made


def _which(why: str, cause: str) -> Directive:
    return directive("RewriteCond", f"%{{ENV:{_NAMED}}}", "^(.+)$", why=why, cause=cause)


def _is(guard: str, why: str, cause: str) -> Directive:
    return directive("RewriteRule", "^", "-", f"[E={_NAMED}:{guard}]", why=why, cause=cause)


def _named(names: Iterable[str], cause: str) -> Directive:
    pattern = "|".join(map(re.escape, names))
    why = "the client calls itself so"
    return directive("RewriteCond", f"%{{ENV:{AGENT}}}", pattern, "[NC]", why=why, cause=cause)


def _some(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[at : at + _MOST_NAMES] for at in range(0, len(names), _MOST_NAMES))
