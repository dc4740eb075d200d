"""Crawlers: who is refused by the name in its User-Agent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from portico.plan.gateway.nginx.bans import by_network, client_name
from portico.plan.gateway.nginx.log.text import GUARD, refusing
from portico.plan.gateway.nginx.names import variable
from portico.plan.gateway.nginx.pages import PREFIX
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.subjects import PlannedClaims
from portico.plan.web.guards import Guard, WantedCrawler
from portico.plan.web.model import Web
from portico.plan.web.pages import CRAWLER as PAGE
from portico.plan.web.refusals import CRAWLER, FORGED
from portico.plan.web.unwanted.bans import NEVER
from portico.plan.web.unwanted.crawlers import ROBOTS, Crawlers

_MOST_NAMES = 25
_REFUSED = 463
"""A status no layer uses otherwise; it never leaves nginx."""


def planned(web: Web) -> PlannedClaims | None:
    """What whoever verifies names has to know."""
    crawlers = web.crawlers
    if crawlers is None or not crawlers.claimed:
        return None
    never = tuple(dict.fromkeys((*NEVER, *web.limits.uncounted)))
    return PlannedClaims(crawlers.directory, crawlers.claimed, crawlers.server, never, by_network(web))


def crawler_maps(web: Web) -> list[Directive]:
    """At `http` level: which guard refuses the name of a client."""
    crawlers = web.crawlers
    if crawlers is None:
        return []
    cause, networks_cause = crawlers.cause, crawlers.networks_cause
    forged = {name: variable(web, f"forged_{number}") for number, (name, _) in enumerate(crawlers.verified)}
    rows = [(_pattern(some), CRAWLER) for some in _some(crawlers.refused)]
    rows += [(_pattern([name]), forged[name]) for name, _ in crawlers.verified]
    return [
        *(
            entries(
                "geo", forged[name], table=[("default", FORGED), *((net, "") for net in networks)],
                why=f"nothing for the networks that {name} comes from", cause=networks_cause,
            )
            for name, networks in crawlers.verified
        ),
        entries(
            "map", "$http_user_agent", variable(web, "named"), table=[("default", ""), *rows],
            why="which guard refuses a crawler of this name", cause=cause or networks_cause,
        ),
        entries(
            "map", "$uri", variable(web, "crawler"),
            table=[("default", variable(web, "named")), *_robots(web)],
            why="every crawler may read robots.txt, which says that it is refused", cause=cause or networks_cause,
        ),
        *_claimed(web, crawlers),
    ]  # fmt: skip


def _claimed(web: Web, crawlers: Crawlers) -> list[Directive]:
    if not crawlers.claimed:
        return []
    cause, claimed = crawlers.dns_cause, variable(web, "claimed")
    file = f"{crawlers.directory}/{client_name(web)}"
    return [
        entries(
            "map", "$http_user_agent", claimed, table=[("default", ""), (_pattern(crawlers.claimed), file)],
            why="the file of a client that uses the name of a crawler; Portico makes it when DNS says that it is none",
            cause=cause,
        ),
        entries(
            "map", "$uri", variable(web, "claim"), table=[("default", claimed), *_robots(web)],
            why="every client may read robots.txt", cause=cause,
        ),
    ]  # fmt: skip


def _robots(web: Web) -> list[tuple[str, str]]:
    return [(path, "") for path in dict.fromkeys((ROBOTS, web.prefix + ROBOTS))]


def unwanted(web: Web, crawlers: Crawlers) -> list[Directive]:
    """In a location: refuses them. A dry run is noted by `crawlers_dry_run`."""
    if crawlers.is_dry_run:
        return []
    name, cause = variable(web, "crawler"), crawlers.cause or crawlers.networks_cause
    why = "the name of a crawler that is refused, or of one that comes from elsewhere"
    return [
        block(
            "if", f"({name})", why=why, cause=cause,
            of=[
                directive("set", GUARD, name, why="the log line says which guard refused the request"),
                directive("return", _REFUSED, why="leads to the page for crawlers", cause=cause),
            ],
        ),
        *([_refuse_claim(web, crawlers)] if crawlers.claimed else []),
    ]  # fmt: skip


def _refuse_claim(web: Web, crawlers: Crawlers) -> Directive:
    why = "this file exists for a client that uses the name of a crawler, and is none by DNS; nobody else is looked for"
    back = "leads to the page for crawlers"
    return block(
        "if", "(-f", f"{variable(web, 'claim')})", why=why, cause=crawlers.dns_cause,
        of=[refusing(FORGED), directive("return", _REFUSED, why=back, cause=crawlers.dns_cause)],
    )  # fmt: skip


def crawlers_dry_run(web: Web) -> list[Directive]:
    """At server level, where an `if` changes nothing else: notes who would be refused.

    nginx comes here again on its way to an error page: a guard that has refused by then keeps its name.
    """
    crawlers = web.crawlers
    if crawlers is None or not crawlers.is_dry_run:
        return []
    tried, cause = variable(web, "would_refuse"), crawlers.dry_run_cause
    why = "only the log line says that the request would be refused"
    return [
        directive("set", tried, f"{GUARD}:{variable(web, 'crawler')}", why="which guard would refuse it", cause=cause),
        *(
            block(
                "if", f"({tried}", "=", f":{guard})", why=why, cause=cause,
                of=[directive("set", GUARD, f"{guard}, dry run", why=why, cause=cause)],
            )
            for guard in (CRAWLER, FORGED)
        ),
        *([_note_claim(web, why, cause)] if crawlers.claimed else []),
    ]  # fmt: skip


def _note_claim(web: Web, why: str, cause: str) -> Directive:
    return block(
        "if", "(-f", f"{variable(web, 'claim')}{GUARD})", why=why, cause=cause,
        of=[directive("set", GUARD, f"{FORGED}, dry run", why=why, cause=cause)],
    )  # fmt: skip


def crawler_page(web: Web, guards: Sequence[Guard]) -> list[Directive]:
    """Where their requests lead: at server level, and where a location has pages of its own."""
    if not any(isinstance(guard, WantedCrawler) and not guard.crawlers.is_dry_run for guard in guards):
        return []
    return [
        directive(
            "error_page", _REFUSED, "=403", f"{PREFIX}{PAGE}.$portico_page",
            why="a crawler that is refused learns where it can read why",
            cause=web.crawlers.cause if web.crawlers else "",
        )
    ]  # fmt: skip


def _some(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """So many at a time as fit into a word of nginx's, which has 4 096 bytes at most."""
    return (names[at : at + _MOST_NAMES] for at in range(0, len(names), _MOST_NAMES))


def _pattern(names: Iterable[str]) -> str:
    return f"~*{'|'.join(map(re.escape, names))}"
