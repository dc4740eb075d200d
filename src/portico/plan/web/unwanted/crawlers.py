"""Crawlers that the site refuses by their names, and those that use a name from elsewhere than its owner's networks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from portico.place.model import Place
from portico.plan.paths import Paths
from portico.plan.web.allow_list import obstacles
from portico.plan.web.own import OwnDirectives
from portico.site.crawlers import ALLOW, BY_NAME, KINDS, REFUSE, named_by_dns, of_kind, policy, rate, refused
from portico.site.front.routes import pattern as loose
from portico.site.limit import Limit
from portico.site.model import Site

ROBOTS = "/robots.txt"


class Crawlers(Struct, frozen=True):
    """Who is refused with 403, but for /robots.txt. Names are looked for anywhere in a User-Agent, in any case."""

    refused: tuple[str, ...]
    verified: tuple[tuple[str, tuple[str, ...]], ...]
    """Names, with the networks of who may use them."""
    claimed: Mapping[str, tuple[str, ...]]
    """Names that DNS verifies, with the domains of who may use them."""
    server: str
    """The name server."""
    directory: str
    """It has a file for each client that uses such a name, and may not."""
    is_dry_run: bool
    cause: str
    networks_cause: str
    dns_cause: str
    dry_run_cause: str


class Robots(Struct, frozen=True):
    """The text of /robots.txt, which the gateway answers itself."""

    lines: tuple[str, ...]
    cause: str


def crawlers(site: Site, place: Place | None = None) -> Crawlers | None:
    """None: whoever says that it is a crawler is a client as any other."""
    options = site.options.crawlers
    names = tuple(dict.fromkeys(one.name for one in refused(options) if one.is_sent))
    claimed = named_by_dns(options, site.crawler_networks) if options.dns else {}
    if not (names or site.crawler_networks or claimed):
        return None
    return Crawlers(
        refused=names,
        verified=tuple(sorted(site.crawler_networks.items())),
        claimed=claimed,
        server=options.dns,
        directory=Paths.of(place).forged if place else "",
        is_dry_run=options.dry_run,
        cause=_cause(site),
        networks_cause=site.cause("crawlers.networks"),
        dns_cause=site.cause("crawlers.dns"),
        dry_run_cause=site.cause("crawlers.dry_run"),
    )


def limited(site: Site) -> Iterator[tuple[str, Limit, tuple[str, ...], str]]:
    """Each kind that has a rate: the rate, the names, and what says so."""
    options = site.options.crawlers
    for kind, what in policy(options).items():
        if what not in (ALLOW, REFUSE):
            names = tuple(one.name for one in of_kind(options, kind) if one.is_sent)
            yield kind, rate(what), names, site.cause(f"crawlers.{kind}")


def robots(site: Site, own: OwnDirectives) -> Robots | None:
    """None where the app has one, or may have, or nothing is to be said."""
    wanted = site.options.crawlers.robots
    lines = list(_lines(site))
    if wanted is False or site.prefix or whose(site, own) or (wanted is None and not lines):
        return None
    if wanted is None and any(obstacles(site)):
        return None
    if not site.options.crawlers.dry_run and lines:
        return Robots((*lines, "User-agent: *", "Disallow:"), _cause(site))
    return Robots(("User-agent: *", "Disallow:"), _cause(site)) if wanted else None


def whose(site: Site, own: OwnDirectives) -> str:
    """What answers /robots.txt in the place of the gateway; empty for nothing that is known."""
    if any(file.url == ROBOTS for file in site.root_files):
        return "a file"
    if own.say(r"robots\\?\.txt"):
        return "own directives"
    unrouted = site.facts.unrouted
    for rule in unrouted.rules if unrouted else ():
        if re.fullmatch(rule.pattern or loose(rule.rule), ROBOTS):
            return f"the rule {rule.rule}"
    return ""


def untold(site: Site, text: str) -> list[str]:
    """The crawlers that nginx refuses, and that this robots.txt lets come."""
    groups = _groups(text)
    return [
        one.name
        for one in refused(site.options.crawlers)
        if one.is_sent and "/" not in groups.get(one.name.lower(), groups.get("*", set()))
    ]


def unwelcome(site: Site, text: str) -> list[str]:
    """The crawlers that a kind of the table allows in so many words, and that this robots.txt keeps out."""
    options, groups = site.options.crawlers, _groups(text)
    kinds = [kind for kind in KINDS if f"crawlers.{kind}" in site.causes and getattr(options, kind) == ALLOW]
    named = [BY_NAME[name.lower()] for name in options.allow]
    return [
        one.name
        for one in [*named, *(one for kind in kinds for one in of_kind(options, kind))]
        if "/" in groups.get(one.name.lower(), groups.get("*", set()))
    ]


def _groups(text: str) -> dict[str, set[str]]:
    """What each name in a robots.txt is kept from, https://www.rfc-editor.org/rfc/rfc9309."""
    made: dict[str, set[str]] = {}
    names, in_rules = list[str](), False
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        if key.lower() == "user-agent":
            names, in_rules = ([] if in_rules else names), False
            names.append(value.lower())
            made.setdefault(value.lower(), set())
        elif key.lower() in ("allow", "disallow"):
            in_rules = True
            for name in names if key.lower() == "disallow" and value else ():
                made[name].add(value.rstrip("*") or "/")
    return made


def _lines(site: Site) -> Iterator[str]:
    names = list(dict.fromkeys(one.name for one in refused(site.options.crawlers)))
    if names:
        yield from (f"User-agent: {name}" for name in names)
        yield from ("Disallow: /", "")
    for _, limit, slowed, _ in limited(site):
        if slowed:
            yield from (f"User-agent: {name}" for name in slowed)
            yield from (f"Crawl-delay: {max(1, math.ceil(limit.seconds / limit.count))}", "Disallow:", "")


def _cause(site: Site) -> str:
    keys = (f"crawlers.{key}" for key in (*KINDS, "allow", "refuse", "robots"))
    return "; ".join(site.cause(key) for key in keys if key in site.causes)
