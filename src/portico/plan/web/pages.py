"""The error pages of the gateway itself, as HTML and as JSON; the app's own errors are unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from portico.plan.web import refusals
from portico.plan.web.entry.transfer import LINE_KIB
from portico.plan.web.guards import MOST_HEAD, Guard
from portico.plan.web.limits import Limits
from portico.plan.web.refusals import MAINTENANCE, SECOND, STATUSES
from portico.plan.web.unwanted.crawlers import crawlers
from portico.site.model import Site

UNREADABLE = (400, 414, 431)
"""The statuses of requests with unreadable heads: each server of the site has their pages."""
REFUSED = (404, 413, 429, 504)
"""The statuses of the site's server for refused requests and timeouts. The pages of 502, 503 and 507 depend on more
than the status; guards that few sites have add their own.
"""
RETRY_SECONDS = 2
"""Retry-After while the app starts; most apps need less."""
RETRY_MAINTENANCE_SECONDS = 60
"""Retry-After during maintenance: usually minutes, and many waiting clients must not retry all the time."""
RETRY_BUSY_SECONDS = 5
"""Retry-After in an overload: if all clients retried after a second, it would be the same crowd again."""
RETRY_LIMITED_SECONDS = 1
"""Retry-After for a rate above the limit."""
ATTACK = "attack"
"""The page of the firewall's refusals."""
BUSY = "busy"
"""The page of a full queue."""
CRAWLER = "crawler"
"""The page of a refused crawler."""
BANNED = "banned"
"""The page of a banned client."""
OF_GUARDS = {refusals.BAN: BANNED, refusals.CRAWLER: CRAWLER, refusals.FORGED: CRAWLER, refusals.WAF: ATTACK}
"""The page of a refusal that is not the page of its status."""
FAILED = "failed"
"""The page of the gateway's own 500, which no user's 500.html replaces: the app answers its own errors."""


class Page(Struct, frozen=True):
    """One page: its status, what happened, and what the reader can do."""

    status: int
    title: str
    text: str
    refresh_seconds: int = 0
    """Seconds after which a browser reloads by itself; 0: never."""
    name: str = ""
    has_message: bool = False
    """`portico maintenance on --message` sets its text."""

    @property
    def file(self) -> str:
        """Its file name without the format's suffix."""
        return self.name or str(self.status)


class Pages(Struct, frozen=True):
    """The pages of answers without the app."""

    made: tuple[Page, ...]
    """Portico's own."""
    written: Mapping[str, str]
    """The user's own, which replace them: a file name, such as `404.html`, and its text."""
    unused: tuple[str, ...]
    """The user's unused files: the app answers those errors."""
    cause: str
    plain: tuple[str, ...] = ()
    """Pages that are sent unchanged, without the request's ID: a flood must be cheap."""


def pages(site: Site, limits: Limits, guards: Iterable[Guard]) -> Pages:
    """Every page. `guards` are those of the site's chains."""
    made = _made(site, _refused(guards))
    used = {"429": limits.counted, BANNED: site.options.guard.ban, CRAWLER: crawlers(site)}
    cheap = [name for name, is_used in used.items() if is_used]
    own = {name.partition(".")[0] for name in site.pages}
    plain = tuple(name for name in cheap if name not in own)
    return Pages(made, site.pages, tuple(site.unused_pages), site.cause("errors.pages"), plain)


NO_METHOD = Page(405, "Method not allowed", "This address does not take requests of this kind.")
_REFUSED = (
    Page(401, "Please sign in", "This address is for people with a password."),
    Page(403, "Not allowed", "You may not come to this address from where you are."),
    NO_METHOD,
)
"""The pages of guards that not every site has."""


_NOT_NOW = (
    Page(503, "Starting", "The app is starting. This page asks again by itself.", RETRY_SECONDS),
    Page(
        503,
        "Busy",
        "More requests came than can be answered in time. This page asks again by itself.",
        RETRY_BUSY_SECONDS,
        BUSY,
    ),
    Page(503, "Closed for maintenance", "", RETRY_MAINTENANCE_SECONDS, MAINTENANCE, has_message=True),
    Page(
        507,
        "No room",
        "The server could not keep this request while it came in; its disk may be full. Please try again later.",
    ),
)
_BANNED = Page(
    403,
    "Refused for a while",
    "Somebody at your network address asked for pages of this site that only attacks ask for, so it answers nothing "
    "from there for a while. If it was not you, others share your address: try again later, or from another network.",
    name=BANNED,
)


_CRAWLER = Page(
    403,
    "Not for this crawler",
    "This site answers no crawler of this name, or none that uses it from this address: see /robots.txt.",
    name=CRAWLER,
)


def _refused(guards: Iterable[Guard]) -> set[int]:
    """The statuses of those pages that are needed. They come together, for the gateway itself refuses a file or a
    method now and then. Where one is a guard's second status, as of an allow-list of routes, it comes alone.
    """
    names = {name for guard in guards for name in guard.refused_by} - OF_GUARDS.keys()
    known = {page.status for page in _REFUSED}
    if known & {STATUSES[name] for name in names}:
        return known
    return known & {SECOND[name] for name in names if name in SECOND}


def _attack(site: Site) -> list[Page]:
    if site.options.guard.waf != "block":
        return []
    text = "This request looks like an attack and was refused. If it was none, please tell the operator of this site."
    return [Page(403, "Refused", text, name=ATTACK)]


def _made(site: Site, refused: set[int]) -> tuple[Page, ...]:
    """Every page of Portico's own."""
    limit = f"{site.max_upload}, the limit of this site"
    if any(item.edge.max_upload for item in site.routed):
        limit = f"what this address takes ({site.max_upload} unless its route says otherwise)"
    return (
        Page(400, "Bad request", "The server could not read this request: it is not valid HTTP."),
        *(page for page in _REFUSED if page.status in refused),
        *_attack(site),
        *([_BANNED] if site.options.guard.ban else []),
        *([_CRAWLER] if crawlers(site) else []),
        Page(404, "Not found", "There is nothing at this address."),
        Page(
            413,
            "Too large",
            f"This upload is larger than {limit}. It was refused before it reached the app (setting: max_upload).",
        ),
        Page(414, "Address too long", f"The address of this request is longer than {LINE_KIB} KiB."),
        Page(
            429,
            "Too many requests",
            "You are asking faster than this site allows. Wait a moment and try again.",
        ),
        Page(
            431,
            "Too many cookies or headers",
            f"The head of this request is larger than the server takes: {MOST_HEAD >> 10} KiB in all, "
            f"{LINE_KIB} KiB for each header. It may help to delete the cookies of this site.",
        ),
        Page(500, "Something went wrong", "The server could not handle this request.", name=FAILED),
        Page(
            502,
            "The app did not answer",
            "Something went wrong on our side: no answer came, or one that is not valid HTTP or has more cookies and "
            "headers than the server takes. Please try again in a moment.",
        ),
        *_NOT_NOW,
        Page(504, "The app took too long", "The answer did not come in time. Please try again later."),
    )
