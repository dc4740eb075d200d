"""Access: what is open although it looks protected. It is only reported, never changed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from portico.check.model import Finding, ok, warning
from portico.plan.web.access import Answer, admits
from portico.site.access.rule import AccessRule
from portico.site.model import Site
from portico.site.pattern import head

_LOOKS_PROTECTED = re.compile(
    r"/(?:admin|administration|backoffice|console|dashboard|debug|flower|internal|manage|management|metrics|monitor"
    r"|private|staff|superuser|_debug|__debug__|silk|rq|jobs)(?=/|$)",
    re.IGNORECASE,
)
"""Usual names of paths that are not public."""
_MOST_SHOWN = 3


def access_findings(site: Site) -> Iterator[Finding]:
    """The findings; none for a site whose routes are unknown."""
    yield from _looks_protected(site)
    yield from _halves(site)
    yield from _passwords(site)
    yield from _own_locations(site)


def _looks_protected(site: Site) -> Iterator[Finding]:
    paths = [path for path, is_asked in _paths(site) if not is_asked]
    names = {found[0] for path in paths if (found := _LOOKS_PROTECTED.match(path))}
    opened = sorted(name for name in names if not any(_asked(site, name)))
    if opened:
        hint = f'[access."{opened[0]}"] with allow, users or auth'
        what = f"the gateway lets any client request {_some(opened)}; the app alone decides ({hint}: docs/access.md)"
        yield ok("access", what, "open-path")


def _halves(site: Site) -> Iterator[Finding]:
    """Open routes beside restricted ones with the same prefix."""
    by_start: dict[str, dict[bool, list[str]]] = defaultdict(lambda: {True: [], False: []})
    for path, is_asked in _paths(site):
        by_start["/" + path.split("/")[1]][is_asked].append(path)
    for start, of in sorted(by_start.items()):
        opened = sorted(set(of[False]) - {start})
        if start != "/" and of[True] and opened and not _is_chosen(site, opened):
            hint = f'set it once for all: [access."{start}"], or anybody = true for what should be open'
            yield warning(
                "access",
                f"below {start} access to some routes is restricted, but {_some(opened)} is open",
                hint,
                "open-path",
            )


def _is_chosen(site: Site, paths: list[str]) -> bool:
    """Whether the user declared all of them open."""
    opened = [rule for rule in site.access if rule.anybody]
    return all(any(re.match(rule.strict, path) for rule in opened) for path in paths)


def _passwords(site: Site) -> Iterator[Finding]:
    if any(rule.users for rule in site.access) and not site.has_https and not site.proxies:
        hint = "turn HTTPS on, or name the proxy that ends TLS in behind"
        yield warning("access", "passwords come over plain HTTP, with every request", hint, "plain-passwords")


def _own_locations(site: Site) -> Iterator[Finding]:
    own = [one for one in site.own.server if one.answers]
    if site.access and own:
        names = _some([" ".join(one.args) for one in own])
        hint = "write there what they ask (allow, deny, auth_basic), or let Portico serve the files with [static]"
        yield warning(
            "access", f"[access] does not hold in locations of your own: {names}", hint, "own-locations"
        )


def _paths(site: Site) -> list[tuple[str, bool]]:
    """The prefixes of the app's routes and of folders; and whether access to them is restricted."""
    own = {rule.what for rule in site.access if _asks(rule)}
    routes = [
        (path, route.rule in own or any(_asked(site, path)))
        for route in site.facts.routes
        if route.pattern and not route.websocket and (path := head(route.pattern))
    ]
    folders = [(folder.url, any(_asked(site, folder.url))) for folder in site.static]
    return [found for found in (*routes, *folders) if found[0] != "/"]


def _asks(rule: AccessRule) -> bool:
    return bool(rule.allow or rule.users or rule.check or rule.certificate or rule.internal)


def _asked(site: Site, path: str) -> list[Answer]:
    return [answer for answer in admits(site, path) if answer.key not in ("deny", "methods")]


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
