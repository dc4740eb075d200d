"""The pages nginx shows when the app cannot: HTML for people, JSON for programs, by Accept."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from functools import lru_cache

from portico.place.model import Place
from portico.plan.model import File, Line
from portico.plan.nginx.conf import Directive, block, directive, entries
from portico.plan.nginx.log import page_log
from portico.plan.paths import Paths
from portico.site.model import Site

PREFIX = "/-/errors/"
RETRY_SECONDS = 2
"""How soon a client should ask again while the app starts; most apps boot in less."""
RETRY_MAINTENANCE_SECONDS = 60
"""And while the site is closed: minutes as a rule, and a crowd that waits must not ask all the time."""
MAINTENANCE = "maintenance"
_HEADERS_MORE = "https://github.com/openresty/headers-more-nginx-module#more_clear_headers"
_EMPTY = "416.html"
_CLOSED = 419
"""A status no layer uses otherwise; it never leaves nginx."""


@dataclass(frozen=True)
class Page:
    """One page: its status, what happened, and what the reader can do."""

    status: int
    title: str
    text: str
    refresh_seconds: int = 0
    name: str = ""

    @property
    def file(self) -> str:
        """Its name without what tells the format."""
        return self.name or str(self.status)


def pages(site: Site) -> tuple[Page, ...]:
    """Every page Portico brings."""
    limit = f"{site.max_upload}, the limit of this site"
    if any(item.edge.max_upload for item in site.routed):
        limit = f"what this address takes ({site.max_upload} unless its route says otherwise)"
    return (
        Page(404, "Not found", "There is nothing at this address."),
        Page(
            413,
            "Too large",
            f"This upload is larger than {limit}. nginx refused it before it reached "
            "the app (setting: max_upload).",
        ),
        Page(
            429,
            "Too many requests",
            "You are asking faster than this site allows. Wait a moment and try again.",
        ),
        Page(
            502, "The app did not answer", "Something went wrong on our side. Please try again in a moment."
        ),
        Page(503, "Starting", "The app is starting. This page asks again by itself.", RETRY_SECONDS),
        Page(503, "Closed for maintenance", _MESSAGE, RETRY_MAINTENANCE_SECONDS, MAINTENANCE),
        Page(
            507,
            "No room",
            "The server could not keep this request while it came in; its disk may be full. Please try again later.",
        ),
        Page(504, "The app took too long", "The answer did not come in time. Please try again later."),
    )


def error_page_files(site: Site) -> list[File]:
    """The pages as files below the configuration directory; the user's own replace Portico's."""
    made = {f"{page.file}.html": _html(page) for page in pages(site)}
    made |= {f"{page.file}.json": _json(page) for page in pages(site)} | {_EMPTY: ""}
    return [_file(site, name, site.pages.get(name, text)) for name, text in sorted(made.items())]


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
                ("~^429", "1"),
                (f"~^503{PREFIX}{MAINTENANCE}", str(RETRY_MAINTENANCE_SECONDS)),
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


def no_such_part() -> Directive:
    """An answer of 416 keeps what was said with the file, and of a compressed copy that is a Content-Encoding: so it
    has no body, which needs no unpacking.
    """
    return directive(
        "error_page",
        416,
        f"{PREFIX}{_EMPTY}",
        why="nothing is beyond the end of a file; no page is shown, since the head may say that it is compressed",
    )


def no_room() -> Directive:
    """nginx's own 500 is nearly always an upload that found no room on the disk; the app's errors pass untouched."""
    return directive(
        "error_page", 500, "=507", f"{PREFIX}507.$portico_page",
        why="nginx itself fails only when it cannot keep a request, as on a full disk", cause="errors",
    )  # fmt: skip


def closed() -> Directive:
    """What a location of the app begins with: while the site is closed, its requests go on in @portico_closed."""
    return directive("return", _CLOSED, why="leads to @portico_closed, never to the client")


def closing(way: str) -> Directive:
    """Where such requests are sent, at server level; `way` tells the route."""
    return directive(
        "error_page", _CLOSED, "=", f"@portico_closed{way}",
        why="a closed site looks who asks: method, body and headers stay as they are",
    )  # fmt: skip


def closed_pages() -> list[Directive]:
    """The server's error pages, with that of maintenance for 503."""
    return [
        *error_pages(404, 413, 429, 504),
        no_room(),
        directive(
            "error_page", 503, f"{PREFIX}{MAINTENANCE}.$portico_page", why="the page of portico maintenance",
        ),
        directive(
            "error_page", 502, "@portico_down",
            why="no worker took the request of an address that was let in",
        ),
    ]  # fmt: skip


def failures() -> list[Directive]:
    """What the site's server does with each failure."""
    return [
        directive("recursive_error_pages", "on", why="the status that @portico_down chooses gets its page too"),
        *error_pages(404, 413, 429, 503, 504),
        no_room(),
        directive(
            "error_page", 502, "@portico_down",
            why="no worker took the request: @portico_down tells an app that is starting from one that is down",
        ),
    ]  # fmt: skip


def down_location(paths: Paths) -> Directive:
    """Answers 503 while the flag file of a start exists, 502 otherwise."""
    flag = [directive("return", 503, why="the app is starting: come back in a moment")]
    return block(
        "location", "@portico_down",
        why="reached when no worker took the request",
        of=[
            *error_pages(502, 503),
            block("if", "(-f", f"{paths.booting})", of=flag, why="this file exists while the app starts"),
            directive("return", 502, why="the app is not there"),
        ],
    )  # fmt: skip


def pages_location(site: Site, place: Place, headers: list[Directive]) -> Directive:
    """Serves the page files, to internal redirects only."""
    cause, paths = site.cause("errors.pages"), Paths.of(place)
    types = [("text/html", "html"), ("application/json", "json")]
    return block(
        "location", "^~", PREFIX,
        why="the error pages; nobody can ask for them directly",
        cause=cause,
        of=[
            directive("internal", why="only an error leads here"),
            directive("alias", f"{paths.error_pages}/", why="pages of your own, else Portico's", cause=cause),
            page_log(paths),
            directive("etag", "off", why="an error is not asked for again by its version"),
            entries("types", table=types, why="the two formats of a page"),
            directive("ssi", "on", why="puts the request's id into the page, to be told to whoever looks into it"),
            directive("ssi_types", "application/json", why="into the JSON too; text/html is always included"),
            *headers,
            directive("add_header", "Cache-Control", "no-store", "always", why="an error is not to be remembered"),
            directive(
                "add_header", "Retry-After", "$portico_retry_after", "always",
                why="sent with 429 and 503 only: nginx leaves an empty header out",
            ),
            *_cleared(place),
        ],
    )  # fmt: skip


def _cleared(place: Place) -> list[Directive]:
    """What nginx said before it found that it has an error to tell."""
    if not place.nginx.clears_headers:
        return []
    return [
        directive(
            "more_clear_headers", "Location", "Content-Encoding", source=_HEADERS_MORE,
            why="a folder of static files would tell by a redirect that it is there; and a page is not the file",
        )
    ]  # fmt: skip


def message_location(paths: Paths) -> Directive:
    """What people are told while the site is closed: written by `portico maintenance on`, included by its page."""
    return block(
        "location", "^~", f"{PREFIX}message.",
        why="the message of portico maintenance, for its page to include",
        of=[
            directive("internal", why="nobody can ask for it directly"),
            directive(
                "alias", f"{paths.maintenance}/message.", why="Portico writes it there, already escaped for the format"
            ),
        ],
    )  # fmt: skip


def _file(site: Site, name: str, text: str) -> File:
    return _page_file(name, text, site.cause("errors.pages"), is_own=name in site.pages)


@lru_cache(64)
def _page_file(name: str, text: str, cause: str, *, is_own: bool) -> File:
    why = "your own page" if is_own else "the page itself"
    return File(
        f"errors/{name}",
        tuple(Line(line, why, "", cause, is_users=is_own) for line in text.splitlines()),
    )


_ID = '<!--# echo var="request_id" -->'
_MESSAGE = "MESSAGE"
"""Stands for what `portico maintenance on --message` says."""


def _included(format: str) -> str:  # noqa: A002  that is what it is called
    return f'<!--# include virtual="{PREFIX}message.{format}" -->'


@lru_cache(64)
def _json(page: Page) -> str:
    error = {"status": page.status, "title": page.title, "detail": page.text, "request_id": "ID"}
    text = json.dumps({"error": error}, ensure_ascii=False).replace("ID", _ID)
    return text.replace(_MESSAGE, _included("json"))


@lru_cache(64)
def _html(page: Page) -> str:
    seconds = page.refresh_seconds
    refresh = f'\n<meta http-equiv="refresh" content="{seconds}">' if seconds else ""
    text = html.escape(page.text).replace(_MESSAGE, _included("html"))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}
<title>{html.escape(page.title)}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1d2433; --soft: #5b6475; --paper: #f6f7f9; --line: #d7dbe2; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e8ebf1; --soft: #9aa4b5; --paper: #14171d; --line: #2c323d; }}
}}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper);
  color: var(--ink); font: 17px/1.55 system-ui, sans-serif; }}
main {{ max-width: 30rem; padding: 2rem; }}
.status {{ color: var(--soft); font-variant-numeric: tabular-nums; letter-spacing: .06em; margin: 0; }}
h1 {{ font-size: 1.7rem; line-height: 1.2; margin: .3rem 0 .8rem; }}
footer {{ margin-top: 2rem; padding-top: .8rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .8rem; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
<p class="status">{page.status}</p>
<h1>{html.escape(page.title)}</h1>
<p>{text}</p>
<footer>Request {_ID}</footer>
</main>
</body>
</html>"""
