"""Login-like routes without a limit: one is suggested, never imposed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portico.check.model import Finding, warning
from portico.site.facts import Route
from portico.site.limit import OFF, Limit
from portico.site.model import Routed, Site
from portico.site.overlap.methods import is_hidden
from portico.site.pattern import fixed_path

_GUESSED = frozenset({
    "login", "signin", "logon", "signup", "register", "reset", "resetpassword", "passwordreset", "forgot",
    "forgotpassword", "password", "otp", "2fa", "mfa", "token",
})  # fmt: skip
"""Segments of paths to which people, and attackers, send passwords, codes and addresses."""
_MOST_A_MINUTE = 60
"""A rate above this does not stop guessing."""
_OFFERED = "5/minute"


def limit_findings(site: Site) -> Iterator[Finding]:
    """One for all such routes."""
    found = [
        route for route in site.facts.routes if _takes_guesses(route) and not is_hidden(route, site.facts)
    ]
    open_ones = list(dict.fromkeys(route.rule for route in found if not _is_limited(site, route)))
    if not open_ones:
        return
    more = f" and {len(open_ones) - 3} more" if len(open_ones) > 3 else ""
    rule = open_ones[0]
    yield warning(
        "limits",
        f"a client may guess as often as it can send at {', '.join(open_ones[:3])}{more}",
        f'allow a few: @edge.limit("{_OFFERED}", methods=["POST"]) beside the view, or [routes."{rule}"] '
        f'limit = "{_OFFERED} of POST"; limits.dry_run tries it first',
        "guesses",
    )


def _takes_guesses(route: Route) -> bool:
    words = {re.sub("[-_.]", "", segment) for segment in route.rule.lower().split("/")}
    return bool(words & _GUESSED) and (not route.methods or "POST" in route.methods) and not route.websocket


def _is_limited(site: Site, route: Route) -> bool:
    own = [text for item in site.routed if _covers(item, route) for text in item.edge.limit]
    of_site = [] if OFF in own else site.options.limits.rate
    return any(_stops_guesses(text) for text in (*own, *of_site) if text != OFF)


def _covers(item: Routed, route: Route) -> bool:
    path = fixed_path(route.pattern) if route.pattern else None
    return item.pattern == route.pattern or (
        path is not None and re.fullmatch(item.pattern, path) is not None
    )


def _stops_guesses(text: str) -> bool:
    limit = Limit.parse(text)
    counts_post = not limit.methods or "POST" in limit.methods
    return bool(limit.seconds) and counts_post and limit.count * 60 <= _MOST_A_MINUTE * limit.seconds
