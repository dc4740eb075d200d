"""A single-page app: its page answers a browser's navigation to a path that no route and no file answers.

The app is asked first. Where its 404 may be the page's, httpd takes that 404 for an error of its own, and the error's
document is the page. An error's document has the error's status; a file that httpd sends as it stands (mod_asis) says
another, and leads to the page.
"""

from __future__ import annotations

from portico.plan.files import File, Line
from portico.plan.gateway.httpd.syntax import Directive, directive, literal, regex, section, target
from portico.plan.paths import Paths
from portico.plan.web.model import Web

_ASIS = "https://httpd.apache.org/docs/2.4/mod/mod_asis.html"
_OVERRIDE = "https://httpd.apache.org/docs/2.4/mod/mod_proxy.html#proxyerroroverride"
_FOUND, _PAGE = "/-/spa/found", "/-/spa/page"
NAVIGATES, _ASKED, _SENT = "PORTICO_NAVIGATES", "PORTICO_SPA", "PORTICO_SPA_PAGE"
_FILE = "spa/found.asis"


def spa_files(web: Web) -> list[File]:
    """The file that turns a 404 into the page."""
    if web.spa is None:
        return []
    lines = ("Status: 200 OK", "Content-Type: text/html; charset=utf-8", f"Location: {_PAGE}", "")
    why = "the status of the page, and where it is"
    return [File(_FILE, tuple(Line(line, why, _ASIS, web.spa.cause) for line in lines))]


def spa_page_rules(web: Web) -> list[Directive]:
    """The first rules of a virtual host: the page, for internal redirects only."""
    if web.spa is None:
        return []
    cause, conf = web.spa.cause, Paths.of(web.place).conf
    page = target(web.spa.folder, cause).rstrip("/") + "/index.html"
    internal = directive(
        "RewriteCond", "%{ENV:REDIRECT_STATUS}", "!^$", why="only the app's 404 leads here", cause=cause
    )
    return [
        internal,
        directive("RewriteRule", f"^{_FOUND}$", f"{conf}/{_FILE}", "[L,H=send-as-is]", cause=cause, source=_ASIS,
                  why="the page has the status 200"),
        internal,
        directive("RewriteRule", f"^{_PAGE}$", page, f"[L,E={_SENT}:1]", cause=cause,
                  why="the single-page app's page, which reads the address itself"),
        directive("RewriteRule", "^/-/spa/", "-", "[R=404,L]", why="no client can ask for one", cause=cause),
    ]  # fmt: skip


def navigation_rules(web: Web) -> list[Directive]:
    """Before the rules of every mount: whether the request may be a navigation to the page."""
    spa = web.spa
    if spa is None:
        return []
    own = "|".join(map(regex, spa.own_paths))
    why = "a browser that goes to a page says text/html; scripts, pictures and programs do not"
    made = [directive("RewriteCond", "%{REQUEST_METHOD}", "^(?:GET|HEAD)$", why=why, cause=spa.cause)]
    is_own = [directive("RewriteCond", "%{REQUEST_URI}", f"^(?:{own})$", "[OR]", cause=spa.cause,
                        why="the page's own address is for any client")] if own else []  # fmt: skip
    made += [*is_own, directive("RewriteCond", "expr", _accepts(), why=why, cause=spa.cause)]
    kept = "the app's own routes: what they answer stays as it is, 404 too"
    made += [
        directive("RewriteCond", "%{REQUEST_URI}", f"!{route}", why=kept, cause=spa.cause)
        for route in spa.routes
    ]
    return [*made, directive("RewriteRule", "^", "-", f"[E={NAVIGATES}:1]", why=why, cause=spa.cause)]


def _accepts() -> str:
    return "req_novary('Accept') =~ m#text/html#i"


def may_be_page(web: Web, path: str) -> list[Directive]:
    """Before the rule of a mount of the app: its 404 may be the page's."""
    if web.spa is None:
        return []
    cause, why = web.spa.cause, "a navigation that may be the single-page app's: the app comes first"
    return [
        directive("RewriteCond", f"%{{ENV:{NAVIGATES}}}", "=1", why=why, cause=cause),
        directive("RewriteRule", path, "-", f"[E={_ASKED}:1]", why=why, cause=cause),
    ]


def page_first(web: Web, path: str) -> list[Directive]:
    """Before the rule of a site that has no app: a navigation that nothing else answers is the page's."""
    if web.spa is None or not web.upstream.is_nobody:
        return []
    cause, why = web.spa.cause, "a navigation that nothing else answers: the single-page app's page"
    page = target(web.spa.folder, cause).rstrip("/") + "/index.html"
    return [
        directive("RewriteCond", f"%{{ENV:{NAVIGATES}}}", "=1", why=why, cause=cause),
        directive("RewriteRule", path, page, f"[L,E={_SENT}:1]", why=why, cause=cause),
    ]


def spa_section(web: Web) -> list[Directive]:
    """In a virtual host: such a 404 leads to the page, and the headers of the page."""
    if web.spa is None:
        return []
    cause = web.spa.cause
    nosniff = "it is what its type says"
    return [
        section(
            "If", f"reqenv('{_ASKED}') == '1'", why="the app has no such page", cause=cause,
            of=[
                directive("ProxyErrorOverride", "On", 404, why="its 404 becomes the page", cause=cause,
                          source=_OVERRIDE),
                directive("RequestHeader", "unset", "Range", why="the page is sent whole", cause=cause),
                directive("ErrorDocument", 404, _FOUND, why="whatever the address", cause=cause),
            ],
        ),
        directive("Header", "set", "Cache-Control", "no-cache", f"env={_SENT}", why="it names files of the release",
                  cause=cause),
        directive("Header", "setifempty", "X-Content-Type-Options", "nosniff", f"env={_SENT}", why=nosniff,
                  cause=cause),
    ]  # fmt: skip


def spa_folder(web: Web) -> list[Directive]:
    """In the server configuration: the page may be read, and nothing else of its folder by this section."""
    if web.spa is None:
        return []
    cause, why = web.spa.cause, "the single-page app's page"
    folder = literal(web.spa.folder, cause).rstrip("/") or "/"
    granted = directive("Require", "all", "granted", why=why, cause=cause)
    options = directive(
        "Options", "None", why="httpd follows no link below it, and lists no files", cause=cause
    )
    return [
        section("Directory", folder, of=[options, section("Files", "index.html", of=[granted], why=why, cause=cause)],
                why=why, cause=cause),
        section("Directory", f"{Paths.of(web.place).conf}/spa", of=[granted], why="what leads to it", cause=cause),
    ]  # fmt: skip
