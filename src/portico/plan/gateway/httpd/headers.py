"""The headers of every answer. `setifempty` leaves what the app says itself."""

from __future__ import annotations

from portico.plan import decisions
from portico.plan.gateway.httpd.names import ID, OWN, PRIVATE, ROUTE
from portico.plan.gateway.httpd.syntax import Directive, directive, value
from portico.plan.web.headers import Header
from portico.plan.web.model import Web
from portico.site.model import Routed

_UNLESS = "; not where the app says it itself"


def common(_web: Web) -> list[Directive]:
    """In a virtual host: headers that Portico itself adds to every answer."""
    why = "the ID of this request's log line, for reports of a problem"
    return [
        directive(
            "Header",
            "unset",
            "X-Request-ID",
            why="sent once, whatever the app says",
            cause=decisions.LOG_LINE,
        ),
        directive(
            "Header", "always", "set", "X-Request-ID", f"%{{{ID}}}e", why=why, cause=decisions.LOG_LINE
        ),
    ]


def of_site(web: Web) -> list[Directive]:
    """In a virtual host: those of the site, and those of each route that has others."""
    numbers = routes(web)
    condition = f"-z reqenv('{ROUTE}')" if numbers else ""
    made = [made for one in web.headers.every for made in _said(one, condition)]
    for number, routed in enumerate(numbers):
        condition = f"reqenv('{ROUTE}') == '{number}'"
        made += [made for one in web.headers.of(routed) for made in _said(one, condition)]
    if any(routed.edge.private for routed in web.routed):
        why, said = (
            "no cache stores the answer of such a route, unless the app says otherwise",
            "private, no-store",
        )
        made.append(directive("Header", "setifempty", "Cache-Control", said, f"env={PRIVATE}", why=why))
    return made + of_own(web)


def routes(web: Web) -> list[Routed]:
    """The routes whose answers have other headers than the site's."""
    return [routed for routed in web.routed if web.headers.of(routed) != web.headers.every]


def of_own(web: Web) -> list[Directive]:
    """In a virtual host: the same on httpd's own answers without a page, such as redirects."""
    too = "; httpd's own answers without a page have it, too"
    return [
        directive("Header", "always", "set", one.name, value(one.value), f"expr={OWN}", why=one.why + too,
                  cause=one.cause, source=one.source)
        for one in web.headers.every
    ]  # fmt: skip


def _said(one: Header, where: str) -> list[Directive]:
    """One header, where this condition is true; an empty one is always."""
    name, text, why = one.name, value(one.value), one.why

    def said(action: str, text: str, why: str, *conditions: str) -> Directive:
        both = " && ".join(each for each in (*conditions, where) if each)
        words = [f"expr={both}"] if both else []
        return directive("Header", action, name, text, *words, why=why, cause=one.cause, source=one.source)

    if one.is_only:
        return [said("set", text, why)]
    if one.framed == one.value:
        return [said("setifempty", text, why + _UNLESS)]
    why = "without what the policy says of frames where the app has X-Frame-Options: browsers obey the policy"
    beside = [said("setifempty", value(one.framed), why, "-n resp('X-Frame-Options')")] if one.framed else []
    return [*beside, said("setifempty", text, why, "-z resp('X-Frame-Options')")]
