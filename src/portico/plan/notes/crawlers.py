"""What the user should know of the crawlers that may come, and of robots.txt."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.web.allow_list import obstacles
from portico.plan.web.model import Web
from portico.plan.web.unwanted.crawlers import whose
from portico.site.crawlers import refused


def robots_elsewhere(web: Web) -> Iterator[str]:
    """A note where crawlers are refused, and nginx writes no robots.txt that says so."""
    site = web.site
    options, names = site.options.crawlers, refused(site.options.crawlers)
    if web.is_waiting or web.robots or options.dry_run or options.robots is False:
        return
    if not (names or options.robots):
        return
    cause = web.crawlers.cause if web.crawlers else site.cause("crawlers.robots")
    if owner := whose(site, web.own):
        yield f"{cause}: /robots.txt is not written from this table: {owner} answers it; see that it says the same"
    elif site.prefix:
        yield f"{cause}: crawlers read /robots.txt of the whole domain; this site is below {site.prefix} and has none"
    elif options.robots is None and any(obstacles(site)):
        yield (
            f"{cause}: /robots.txt is left to the app, since it is not known whether it has one; where it has none: "
            "[crawlers] robots = true"
        )
