"""The pages nginx shows when the app cannot: HTML for people, JSON for programs, by Accept."""

from __future__ import annotations

from portico.plan.files import File
from portico.plan.gateway.nginx.app.full_queue import UNCONNECTED, if_full
from portico.plan.gateway.nginx.limits.counted import retry_after
from portico.plan.gateway.nginx.log.line import page_log
from portico.plan.gateway.nginx.log.text import GUARD, refusing
from portico.plan.gateway.nginx.names import location, variable
from portico.plan.gateway.nginx.own import let_in
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.gateway.page_files import Marks, page_files, rule_page
from portico.plan.paths import Paths
from portico.plan.web.ability import Ability
from portico.plan.web.guards import MOST_HEAD
from portico.plan.web.model import Web
from portico.plan.web.pages import (
    BUSY,
    FAILED,
    REFUSED,
    RETRY_BUSY_SECONDS,
    RETRY_LIMITED_SECONDS,
    RETRY_MAINTENANCE_SECONDS,
    RETRY_SECONDS,
    UNREADABLE,
)
from portico.plan.web.refusals import HEAD, MAINTENANCE, QUEUE, STARTING
from portico.site.routing import ToPage, page_name

PREFIX = "/-/errors/"
_HEADERS_MORE = "https://github.com/openresty/headers-more-nginx-module#more_clear_headers"
_BODY_SIZE = "https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size"
_EMPTY = "416.html"
HEAD_KIB = MOST_HEAD >> 10
"""The largest head. A packet of the uwsgi protocol holds 65 535 bytes, and each header needs up
to 7 bytes more there than in the head. nginx reads 128 KiB, for HTTP/2 knows no page for what is beyond that."""
_HEAD_TOO_LONG = r"~^(?:5[89]\d{3}|57(?:[4-9]\d\d|3(?:[5-9]\d|4[5-9]))|[6-9]\d{4}|\d{6,})$"
"""Above 56 KiB."""
_MAYBE_TOO_LONG = (
    r"~^0?::(?:[3-9]\d{4}|\d{6,})$",
    r"~^[1-9]\d{0,3}::(?:4[3-9]\d{3}|[5-9]\d{4}|\d{6,})$",
    r"~^[1-9]\d{4}::\d{6,}$",
)
"""Heads of 30 000 bytes or more, the length of a body taken off: shorter ones always fit a packet, with 1 000 headers
and the address and host, which it holds twice and three times, at their largest."""
_UNAVAILABLE = "$portico_unavailable"
_CLOSED = 419
"""A status no layer uses otherwise; it never leaves nginx."""


def error_page_files(web: Web) -> list[File]:
    """The pages as files below the configuration directory; the user's own replace Portico's."""
    ruled = [(one.rule, one.rule.target) for one in web.routing.routes]
    own = [
        rule_page(page_name(rule), to.text, rule.cause)
        for rule, to in ruled
        if isinstance(to, ToPage) and to.file
    ]
    return [*page_files(web.pages, Marks(_ID, _included("html"), _included("json")), {_EMPTY: ""}), *own]


def page_maps() -> list[Directive]:
    """Variables that choose the page's format and the time to come back, at `http` level."""
    return [
        entries(
            "map", "$http_accept", "$portico_page",
            table=[("default", "html"), ("~*text/html", "html"), ("~*[/+]json", "json")],
            why="programs that ask for JSON get the error as JSON; browsers, which name text/html, get a page",
            cause="errors",
        ),
        entries(
            "map", "$status$uri", "$portico_retry_after",
            table=[
                ("default", ""),
                ("~^429", str(RETRY_LIMITED_SECONDS)),
                (f"~^503{PREFIX}{MAINTENANCE}", str(RETRY_MAINTENANCE_SECONDS)),
                (f"~^503{PREFIX}{BUSY}", str(RETRY_BUSY_SECONDS)),
                ("~^503", str(RETRY_SECONDS)),
            ],
            why="tells a client when to come back; other statuses get no such header", cause="errors",
        ),
    ]  # fmt: skip


def error_pages(*statuses: int) -> list[Directive]:
    """The page of each status that nginx itself answers with; an app's own error answers pass untouched."""
    return [
        directive(
            "error_page", status, f"{PREFIX}{status}.$portico_page",
            why=f"nginx's own {status} is shown as a page of this site's; the app's errors pass untouched",
            cause="errors",
        )
        for status in statuses
    ]  # fmt: skip


def any_body() -> Directive:
    """In a location that only internal redirects and subrequests reach: the request was checked before it came here."""
    return directive(
        "client_max_body_size", 0, source=_BODY_SIZE,
        why="nginx checks the length of the body again at each internal redirect: a refused upload would be refused "
        "once more and end as a bare error (over HTTP/2 a 500), and what a route with a larger limit took would be 413",
    )  # fmt: skip


def no_such_part() -> Directive:
    """An answer of 416 keeps what was said with the file, and of a compressed copy that is a Content-Encoding: so it
    has no body, which needs no unpacking.
    """
    return directive(
        "error_page",
        416,
        f"{PREFIX}{_EMPTY}",
        why="there is nothing beyond the end of a file; no page is shown, because the head may say that it is "
        "compressed",
    )


def unreadable() -> list[Directive]:
    """The pages of requests that nginx refuses while it reads their heads."""
    return [
        *error_pages(*UNREADABLE),
        directive(
            "error_page", 494, "=431", f"{PREFIX}431.$portico_page", cause="errors",
            why="494 is nginx's own word for a head that is too large; HTTP's is 431",
        ),
    ]  # fmt: skip


def too_long() -> Directive:
    """In a location of the app: refuses what the link cannot carry, before a body is read."""
    return block(
        "if", "($portico_is_too_long)", why="a head that is larger than the link to the app can carry", cause="errors",
        of=[refusing(HEAD), directive("return", 431, why="nginx would fail when it writes it for the app")],
    )  # fmt: skip


def failed(web: Web) -> Directive:
    """Where nginx's own failures lead; the app's 500 pass untouched."""
    return directive(
        "error_page", 500, location(web, "failed"),
        why="nginx itself failed: @portico_failed tells what is known of it", cause="errors",
    )  # fmt: skip


def failed_location(web: Web) -> Directive:
    """Tells a body that found no room and a head that is too large for the link from anything else."""
    return block(
        "location", location(web, "failed"), why="nginx itself could not handle the request", cause="errors",
        of=[
            *error_pages(431, 507),
            directive("error_page", 500, f"{PREFIX}{FAILED}.$portico_page", why="what is left is not known"),
            block(
                "if", "($portico_is_unkept)", why="its body was being written to a file: there was no room for it",
                of=[directive("return", 507, why="nginx could not keep the body")],
            ),
            block(
                "if", "($portico_is_long)", why="more parameters than the link can carry in one packet",
                of=[directive("return", 431, why="the head is too large")],
            ),
            directive("return", 500, why="the reason is in nginx's log"),
        ],
    )  # fmt: skip


def failure_maps() -> list[Directive]:
    """What is known of a failure of nginx's own, at `http` level."""
    return [
        entries(
            "map", "$request_body_file", "$portico_is_unkept", table=[("default", "1"), ("", "0")],
            why="1 when the body of the request went to a file", cause="errors",
        ),
        entries(
            "map", "$content_length:$http_transfer_encoding:$request_length", "$portico_is_long",
            table=[("default", "0"), *((pattern, "1") for pattern in _MAYBE_TOO_LONG)],
            why="1 for a head that may not fit the link, once nginx has failed with it", cause="errors",
        ),
        entries(
            "map", "$request_length", "$portico_is_too_long", table=[("default", "0"), (_HEAD_TOO_LONG, "1")],
            why=f"1 for a head above {HEAD_KIB} KiB, before the body is read", cause="errors",
        ),
        entries(
            "map", "$upstream_connect_time", UNCONNECTED, table=[("default", "0"), ("~-$", "1")],
            why="1 when the last connection that was tried came to nothing", cause="errors",
        ),
        entries(
            "map", GUARD, _UNAVAILABLE, table=[("default", "503"), (QUEUE, BUSY)],
            why="the page of a 503: a full queue has one of its own", cause="errors",
        ),
    ]  # fmt: skip


def closed() -> Directive:
    """What a location of the app begins with: while the site is closed, its requests go on in @portico_closed."""
    return directive("return", _CLOSED, why="leads to @portico_closed, never to the client")


def closing(web: Web, way: str) -> Directive:
    """Where such requests are sent, at server level; `way` tells the route."""
    return directive(
        "error_page", _CLOSED, "=", f"{location(web, 'closed')}{way}",
        why="a closed site checks the client's address: method, body and headers stay as they are",
    )  # fmt: skip


def closed_pages(web: Web) -> list[Directive]:
    """The server's error pages, with that of maintenance for 503."""
    return [
        *unreadable(),
        *error_pages(*REFUSED),
        no_such_part(),
        failed(web),
        directive(
            "error_page", 503, f"{PREFIX}{MAINTENANCE}.$portico_page", why="the page of portico maintenance",
        ),
        directive(
            "error_page", 502, location(web, "down"),
            why="no worker took the request of an address that was let in",
        ),
    ]  # fmt: skip


def failures(web: Web) -> list[Directive]:
    """What the site's server does with each failure."""
    return [
        directive("recursive_error_pages", "on", why="the status that @portico_down chooses gets its page too"),
        *unreadable(),
        *error_pages(*sorted((*REFUSED, 503))),
        no_such_part(),
        failed(web),
        directive(
            "error_page", 502, location(web, "down"),
            why="no worker took the request: @portico_down tells an app that is starting from one that is down",
        ),
    ]  # fmt: skip


def down_location(web: Web) -> Directive:
    """Answers 503 while the flag file of a start exists or the queue is full, 502 otherwise."""
    flag = [refusing(STARTING), directive("return", 503, why="the app is starting: come back in a moment")]
    full = [refusing(QUEUE), directive("return", 503, why="more requests than the app can answer in time")]
    return block(
        "location", location(web, "down"),
        why="reached when no worker took the request",
        of=[
            *error_pages(502),
            *_of_rule(web),
            directive(
                "error_page", 503, f"{PREFIX}{_UNAVAILABLE}.$portico_page",
                why="distinguishes a starting app from a busy one", cause="errors",
            ),
            block("if", "(-f", f"{Paths.of(web.place).booting})", of=flag, why="this file exists while the app starts"),
            *if_full(web, *full),
            directive("return", 502, why="the app is not there"),
        ],
    )  # fmt: skip


def gone_elsewhere(web: Web) -> list[Directive]:
    """In the location of a rule: its server is not this site's app."""
    why = "its server may be down while this site's app is well"
    return [directive("set", variable(web, "ruled"), 1, why=why, cause="route")]


def not_elsewhere(web: Web) -> list[Directive]:
    """At server level: the variables of rules."""
    why = "a rule that passes requests on sets it"
    made = (
        [directive("set", variable(web, "ruled"), "", why=why, cause="route")] if web.routing.passed else []
    )
    if web.routing.conditional:
        why = "the rule that takes a request, with its conditions"
        made.append(directive("set", variable(web, "rule"), "", why=why, cause="route"))
    return made


def _of_rule(web: Web) -> list[Directive]:
    if not web.routing.passed:
        return []
    why = "the server of a rule is not there: nothing is known of it"
    return [
        block(
            "if", f"({variable(web, 'ruled')})", why=why, cause="route",
            of=[directive("return", 502, why=why, cause="route")],
        )
    ]  # fmt: skip


def pages_location(web: Web, headers: list[Directive]) -> Directive:
    """Serves the page files, to internal redirects only."""
    cause, paths = web.pages.cause, Paths.of(web.place)
    types = [("text/html", "html"), ("application/json", "json")]
    return block(
        "location", "^~", PREFIX,
        why="the error pages; no client can ask for them directly",
        cause=cause,
        of=[
            directive("internal", why="only an error leads here"),
            any_body(),
            directive("alias", f"{paths.error_pages}/", why="pages of your own, else Portico's", cause=cause),
            *page_log(web),
            directive("etag", "off", why="an error has no version to ask for again"),
            entries("types", table=types, why="the two formats of a page"),
            directive("ssi", "on", why="puts the request's id into the page, so that a visitor can report it"),
            directive("ssi_types", "application/json", why="into the JSON too; text/html is always included"),
            *let_in(web, anybody=True),
            *(one for one in headers if one.users[:2] != ("add_header", "Cache-Control")),
            directive("add_header", "Cache-Control", "no-store", "always", why="no cache may store an error"),
            directive(
                "add_header", "Retry-After", retry_after(web), "always",
                why="sent with 429 and 503 only: nginx leaves an empty header out",
            ),
            *_cleared(web),
            *_cheap(web),
        ],
    )  # fmt: skip


def no_part_location(web: Web) -> Directive:
    """The body of a 416: none. Its head has everything already that the location of the file adds."""
    why = "a part that a file does not have: nginx finds that when it has said all headers, and would say them again"
    return block(
        "location", "=", f"{PREFIX}{_EMPTY}", why=why, cause=web.pages.cause,
        of=[
            directive("internal", why="only an error leads here"),
            any_body(),
            directive("alias", f"{Paths.of(web.place).error_pages}/{_EMPTY}", why="an empty file"),
            *page_log(web),
            directive("etag", "off", why="the file's own is there"),
            *let_in(web, anybody=True),
            directive("add_header", "Cache-Control", "no-store", "always", why="no cache may store an error"),
            *_cleared(web),
        ],
    )  # fmt: skip


def _cheap(web: Web) -> list[Directive]:
    """The pages that a flood is answered with, by far the most frequent ones: a third less CPU."""
    why = "a refused request costs little: its page stays open, and is sent as it is"
    return [
        block(
            "location", "^~", f"{PREFIX}{name}.", why=why, cause=web.pages.cause,
            of=[
                directive("internal", why="only an error leads here"),
                directive("ssi", "off", why="the id of the request is in the header alone"),
                directive("open_file_cache", "max=4", "inactive=60s", why=why),
                directive("open_file_cache_valid", "1s", why="it may be another one after a reload"),
            ],
        )
        for name in web.pages.plain
    ]  # fmt: skip


def _cleared(web: Web) -> list[Directive]:
    """What nginx said before it found that it has an error to tell."""
    if Ability.CLEARS_HEADERS not in web.abilities:
        return []
    return [
        directive(
            "more_clear_headers", "Location", "Content-Encoding", source=_HEADERS_MORE,
            why="a folder of static files would tell by a redirect that it is there; and a page is not the file",
        )
    ]  # fmt: skip


def message_locations(paths: Paths) -> list[Directive]:
    """What people are told while the site is closed: written by `portico maintenance on`, included by its page."""
    why = "Portico writes it there, already escaped for the format"
    return [
        block(
            "location", "=", f"{PREFIX}message.{kind}",
            why="the message of portico maintenance, for its page to include",
            of=[
                directive("internal", why="no client can ask for it directly"),
                any_body(),
                directive("alias", f"{paths.maintenance}/message.{kind}", why=why),
            ],
        )
        for kind in ("html", "json")
    ]  # fmt: skip


_ID = '<!--# echo var="request_id" -->'


def _included(format: str) -> str:  # noqa: A002  that is what it is called
    return f'<!--# include virtual="{PREFIX}message.{format}" -->'
