"""The pages that httpd shows when the app cannot: HTML for people, JSON for programs, by Accept."""

from __future__ import annotations

from msgspec.structs import replace

from portico.plan.files import File, Line
from portico.plan.gateway.httpd.entry.trust import setting
from portico.plan.gateway.httpd.names import GUARD, ID, PAGE, SILENCE, UPSTREAM
from portico.plan.gateway.httpd.syntax import Directive, directive, section
from portico.plan.gateway.page_files import Marks, page_files
from portico.plan.paths import Paths
from portico.plan.web.model import Web
from portico.plan.web.pages import (
    ATTACK,
    BANNED,
    BUSY,
    CRAWLER,
    FAILED,
    NO_METHOD,
    RETRY_BUSY_SECONDS,
    RETRY_LIMITED_SECONDS,
    RETRY_MAINTENANCE_SECONDS,
    RETRY_SECONDS,
    Pages,
)
from portico.plan.web.refusals import MAINTENANCE, STARTING

_ACCEPT = "req_novary('Accept')"
PREFIX = "/-/errors/"
_ID = f'<!--#echo var="{ID}" -->'
_ASIS = "https://httpd.apache.org/docs/2.4/mod/mod_asis.html"
_TYPES = {"html": "text/html; charset=utf-8", "json": "application/json"}
_FOLDER, _TIMED_OUT = "errors/", "timeout"
_NAMES = {500: FAILED}
"""The file of a status where it is not the status itself."""
STATUSES = (400, 401, 403, 404, 405, 411, 413, 414, 416, 429, 431, 500, 502, 503, 504)
_FILE = "PORTICO_503"
_RULE = "https://httpd.apache.org/docs/2.4/expr.html"
_NO_KEEP = "https://httpd.apache.org/docs/2.4/env.html#nokeepalive"
_READ = 64 << 10
"""The longest body that httpd reads to its end behind an error page, so that the connection stays open."""
FORBIDDEN = "PORTICO_403"
"""The file of a 403: whoever is banned, and a crawler, learns why."""
_EXPR = "https://httpd.apache.org/docs/2.4/mod/core.html#errordocument"


def error_page_files(web: Web) -> list[File]:
    """The pages as files below the configuration directory; the user's own replace Portico's."""
    message = f'<!--#include virtual="{PREFIX}message.{{}}" -->'
    made = page_files(_pages(web), Marks(_ID, message.format("html"), message.format("json")), {})
    return [
        *(_with_head(file, (), web.pages.cause) for file in made),
        *(_timed_out(file) for file in made if file.path.startswith(f"{_FOLDER}504.")),
    ]


def _pages(web: Web) -> Pages:
    """With that of 405 on every site: where httpd answers by itself, it adds an empty `Allow` to Portico's."""
    made = web.pages.made
    if not made or NO_METHOD in made:
        return web.pages
    return replace(web.pages, made=(*made, NO_METHOD))


def as_it_stands(page: File, path: str, status: int, cause: str) -> File:
    """The page with its own status, for mod_asis."""
    return _with_head(replace(page, path=path), (f"Status: {status}",), cause)


def _with_head(page: File, first: tuple[str, ...], cause: str) -> File:
    kind = _TYPES[page.path.rpartition(".")[2]]
    head = (*first, f"Content-Type: {kind}", "")
    lines = tuple(Line(line, "the head of the page", _ASIS, cause) for line in head)
    return replace(page, lines=(*lines, *page.lines))


def _timed_out(page: File) -> File:
    return as_it_stands(page, page.path.replace("504.", f"{_TIMED_OUT}."), 504, "errors")


def page_settings() -> list[Directive]:
    """In a virtual host: the format of an error page."""
    why = "programs that ask for JSON get the error as JSON; browsers, which name text/html, get a page"
    return [
        setting("true", f"{FORBIDDEN}=403", "the page of 403, unless a guard chooses another", "errors"),
        setting("true", f"{PAGE}=html", why, "errors"),
        setting(
            "req_novary('Accept') =~ m#[/+]json#i && req_novary('Accept') !~ m#text/html#i",
            f"{PAGE}=json",
            why,
            "errors",
        ),
    ]


def error_pages(web: Web) -> list[Directive]:
    """In a virtual host: the page of each status that httpd itself answers with."""
    there = {page.file for page in _pages(web).made}
    why = "httpd's own {} is shown as a page of this site's; the app's errors pass untouched"
    made = []
    for status in STATUSES:
        name = _NAMES.get(status, str(status))
        file = f"%{{reqenv:{_FILE}}}" if status == 503 else name
        if status == 403:
            file = f"%{{reqenv:{FORBIDDEN}}}"
        if status == 503 or name in there or (status == 403 and there & {ATTACK, BANNED, CRAWLER}):
            path = f"{PREFIX}{file}.%{{reqenv:{PAGE}}}"
            made.append(
                directive("ErrorDocument", status, path, why=why.format(status), cause="errors", source=_EXPR)
            )
    return made


def page_section() -> Directive:
    """In a virtual host: the request of an error page was checked before it came there."""
    why = "httpd looks at the length of the body again: a refused upload would be refused once more"
    of = [directive("LimitRequestBody", 0, why=why, cause="errors")]
    return section("Location", PREFIX, of=of, why="error pages", cause="errors")


def unavailable_settings() -> list[Directive]:
    """In a virtual host: the page of 503, unless a rule chooses another: the app's queue is full."""
    why = "a release is live and no worker took the request: the queue is full"
    return [setting("true", f"{_FILE}={BUSY}", why, "errors")]


def unread_upload_rules() -> list[Directive]:
    """The first rules of a virtual host: the page of an error comes at once, also while an upload is under way. httpd
    would read all of it first, to keep the connection. mod_asis does not, where the connection is closed.
    """
    why = "the client learns at once that nobody takes its upload; the connection is closed, and the rest not read"
    return [
        directive("RewriteCond", "expr", f"req_novary('Content-Length') -gt {_READ}", "[OR]", why=why, cause="errors",
                  source=_RULE),
        directive("RewriteCond", "expr", "-n req_novary('Transfer-Encoding')", why=why, cause="errors", source=_RULE),
        directive("RewriteRule", f"^{PREFIX}", "-", "[E=nokeepalive:1]", why=why, cause="errors", source=_NO_KEEP),
    ]  # fmt: skip


def page_rules(web: Web) -> list[Directive]:
    """The first rules of a virtual host: the page files, for internal redirects only."""
    paths, cause = Paths.of(web.place), web.pages.cause
    internal = directive(
        "RewriteCond", "%{ENV:REDIRECT_STATUS}", "!^$", why="only an error leads here", cause=cause
    )
    message = directive(
        "RewriteRule", rf"^{PREFIX}(message\.(?:html|json))$", f"{paths.maintenance}/$1", "[L,T=text/plain]",
        why="what `portico maintenance on --message` says, already escaped for the format", cause=cause,
    )  # fmt: skip
    return [
        *_timeout_rules(web),
        directive("RewriteCond", "%{IS_SUBREQ}", "=true", why="only a page includes it", cause=cause),
        message,
        internal,
        directive("RewriteRule", rf"^{PREFIX}([a-z0-9]+\.(?:html|json))$", f"{paths.error_pages}/$1",
                  "[L,H=send-as-is]", why="a page of your own, else Portico's", cause=cause, source=_ASIS),
        internal,
        directive("RewriteRule", rf"^{PREFIX}([a-z0-9]+)\.$", f"{paths.error_pages}/$1.html", "[L,H=send-as-is]",
                  why="a request that could not be read says not which format it wants", cause=cause, source=_ASIS),
        directive("RewriteRule", f"^{PREFIX}", "-", "[R=404,L]", why="no client can ask for one", cause=cause),
    ]  # fmt: skip


def _timeout_rules(web: Web) -> list[Directive]:
    """httpd says 500 or 502 when the app is silent for too long. The time since the request came tells it."""
    if not web.pages.made:
        return []
    why, pages = "the app was silent for too long: 504", Paths.of(web.place).error_pages
    late = f"req_novary('X-Portico-Msec') =~ /D=([0-9]+)$/ && $1 -ge reqenv('REDIRECT_{SILENCE}')"
    return [
        directive("RewriteCond", "%{ENV:REDIRECT_STATUS}", "^50[02]$", why=why, cause="errors"),
        directive("RewriteCond", f"%{{ENV:REDIRECT_{UPSTREAM}}}", "!^$", why="the app was asked", cause="errors"),
        directive("RewriteCond", "expr", late, why=why, cause="errors", source=_RULE),
        directive("RewriteRule", rf"^{PREFIX}[a-z0-9]+\.(html|json)$", f"{pages}/{_TIMED_OUT}.$1", "[L,H=send-as-is]",
                  why=why, cause="errors", source=_ASIS),
    ]  # fmt: skip


def page_folder(web: Web) -> list[Directive]:
    """In the server configuration: the folders of the pages."""
    paths = Paths.of(web.place)
    why = "puts the request's id into the page, so that a visitor can report it"
    types = [directive("AddOutputFilter", "INCLUDES", kind, why=why) for kind in (".html", ".json")]
    return [
        section(
            "Directory", paths.error_pages, why="the error pages", cause=web.pages.cause,
            of=[
                directive("Require", "all", "granted", why="internal redirects read them"),
                directive("Options", "+IncludesNoExec", "+FollowSymLinks", why="with variables, and no programs"),
                *types,
                directive("FileETag", "None", why="an error has no version to ask for again"),
                directive("Header", "set", "Cache-Control", "no-store", why="no cache may store an error"),
                directive("Header", "unset", "Last-Modified", why="it says nothing of an error"),
                *_retry(),
            ],
        ),
        section(
            "Directory", paths.maintenance, why="the message of portico maintenance",
            of=[directive("Require", "all", "granted", why="its page includes it")],
        ),
    ]  # fmt: skip


def _retry() -> list[Directive]:
    """Retry-After of each page."""
    files = {
        "429": RETRY_LIMITED_SECONDS, "503": RETRY_SECONDS, BUSY: RETRY_BUSY_SECONDS,
        MAINTENANCE: RETRY_MAINTENANCE_SECONDS,
    }  # fmt: skip
    why = "tells a client when to come back"
    return [
        directive(
            "Header", "set", "Retry-After", seconds, f"expr=%{{REQUEST_FILENAME}} =~ m#/{name}[.]#", why=why
        )
        for name, seconds in files.items()
    ]


def unavailable_rules(web: Web) -> list[Directive]:
    """Rules before the app's: while no release is live, httpd need not try."""
    if not web.upstream.has_app or web.upstream.is_shared:
        return []
    paths = Paths.of(web.place)
    why, live = "this file exists while a release is live", "no worker listens: httpd need not try"
    return [
        directive("RewriteCond", paths.live, "!-f", why=why),
        directive("RewriteCond", paths.booting, "-f", why="this file exists while the app starts"),
        directive("RewriteRule", "^", "-", f"[R=503,L,E={_FILE}:503,E={GUARD}:{STARTING}]", why=live),
        directive("RewriteCond", paths.live, "!-f", why=why),
        directive("RewriteRule", "^", "-", "[R=502,L]", why="the app is not there"),
    ]


def maintenance_rules(directory: str) -> list[Directive]:
    """While the site is closed, everybody but admitted addresses gets the page."""
    why = "this file exists while portico maintenance is on"
    return [
        directive("RewriteCond", f"{directory}/on", "-f", why=why),
        directive("RewriteCond", f"{directory}/allowed/%{{REMOTE_ADDR}}", "!-f", why="portico maintenance on --allow "
                  "makes a file for each address it lets in"),
        directive("RewriteRule", "^", "-", f"[R=503,L,E={_FILE}:{MAINTENANCE},E={GUARD}:{MAINTENANCE}]",
                  why="closed: come back later"),
    ]  # fmt: skip
