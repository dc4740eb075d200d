"""The headers of every answer. `setifempty` leaves what the app says itself."""

from __future__ import annotations

from portico.plan import decisions
from portico.plan.gateway.httpd.conf import Directive, directive, value
from portico.plan.gateway.httpd.names import ID
from portico.plan.web.headers import Header
from portico.plan.web.model import Web
from portico.site.model import Routed

_MDN = "https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/"
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
    """In a virtual host: those of the site."""
    return [made for one in web.headers.every for made in _said(one)]


def of_route(web: Web, routed: Routed) -> list[Directive]:
    """In the section of a route: those that differ from the site's."""
    site = set(web.headers.every)
    return [made for one in web.headers.of(routed) if one not in site for made in _said(one)]


def _said(one: Header) -> list[Directive]:
    why = "a header of yours" if one.name.lower().startswith("x-portico") else "a header of every answer"
    name, text = one.name, value(one.value)
    if one.is_only:
        return [directive("Header", "set", name, text, why=why, cause=one.cause, source=_MDN + name)]
    if one.framed == one.value:
        made = directive(
            "Header", "setifempty", name, text, why=why + _UNLESS, cause=one.cause, source=_MDN + name
        )
        return [made]
    condition = "expr=-z resp('X-Frame-Options')"
    beside = "expr=-n resp('X-Frame-Options')"
    why = "without what the policy says of frames where the app has X-Frame-Options: browsers obey the policy"
    found = [
        directive("Header", "setifempty", name, text, condition, why=why, cause=one.cause, source=_MDN + name)
    ]
    if one.framed:
        framed = value(one.framed)
        found.insert(
            0,
            directive(
                "Header", "setifempty", name, framed, beside, why=why, cause=one.cause, source=_MDN + name
            ),
        )
    return found
