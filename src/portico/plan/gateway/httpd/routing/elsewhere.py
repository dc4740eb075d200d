"""What rules answer with: a server, a redirect or a page.

What a server is told, and what clients see of its answers, is in a section that holds once the rule has taken the
request. Directives there come after those of the virtual host.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from portico.errors import Problem
from portico.plan.files import File
from portico.plan.gateway.httpd.app.link import (
    WHO_SENT,
    is_http_route,
    microseconds,
    other_spellings,
    told_to_app,
)
from portico.plan.gateway.httpd.app.room import room
from portico.plan.gateway.httpd.app.upstream import member
from portico.plan.gateway.httpd.entry.host_header import HOST
from portico.plan.gateway.httpd.modules import lacking, module_of
from portico.plan.gateway.httpd.names import (
    BEFORE,
    HERE,
    PATH,
    RULE,
    SCHEME,
    SILENCE,
    TO,
    balancer,
    balancer_name,
)
from portico.plan.gateway.httpd.pages import PREFIX, as_it_stands
from portico.plan.gateway.httpd.routing.proof import own_host, own_redirects, proof_modules
from portico.plan.gateway.httpd.syntax import Directive, directive, regex, section, value
from portico.plan.gateway.page_files import rule_page
from portico.plan.paths import Paths
from portico.plan.web.guards import Password
from portico.plan.web.model import Web
from portico.plan.web.mount import Below
from portico.plan.web.mounts import meeting
from portico.plan.web.routing.build import route_guards
from portico.plan.web.routing.model import Route
from portico.site.routing import ToPage, ToRedirect, ToServer, ToSite, page_name

_DOTS = r"(?![^?]*/(?i:\.|%2e){1,2}(?:[/?]|(?i:%2f)|$))"
"""No dot segment follows: without the rule's path it would mean another path than the guards were asked about."""
_ASIS = "https://httpd.apache.org/docs/2.4/mod/mod_asis.html"
_STATUS, _PAGE = 424, "PORTICO_RULE_PAGE"
"""A status that nothing else here has; no client sees it. The page of the rule."""
_OWN = (WHO_SENT, "X-Portico-Began")
_UNSAID = (
    *("SCRIPT_FILENAME", "PATH_TRANSLATED", "SCRIPT_URL", "SCRIPT_URI", "DOCUMENT_ROOT", "CONTEXT_PREFIX"),
    *("CONTEXT_DOCUMENT_ROOT", "SERVER_ADMIN", "PATH"),
)
"""What httpd tells a FastCGI server, and no other gateway of ours does."""
_COOKIE_PATH = r"(?i)^([^;]*;(?:.*;)?[ \t]*path[ \t]*=[ \t]*)/"
_NGINX = 'use nginx (gateway = "nginx"), or leave it out'


def answer(one: Route, path: str) -> list[Directive]:
    """The last rules for the requests of a rule at these paths."""
    cause = one.rule.cause
    match one.rule.target:
        case ToRedirect(status, url) as to:
            where = url if "://" in url else f"%{{ENV:{HERE}}}{_plain(url)}"
            where = (
                f"{_plain(url)}%{{ENV:{PATH}}}" if to.keeps_path else where if where != url else _plain(url)
            )
            flags = f"[R={status},L,NE{'' if to.keeps_path else ',QSD'}]"
            return [directive("RewriteRule", path, where, flags, why="where the rule leads", cause=cause)]
        case ToPage(status, ""):
            why = "nothing else is here: the site's own page"
            return [directive("RewriteRule", path, "-", f"[R={status},L]", why=why, cause=cause)]
        case ToPage():
            why = "the page of the rule, whatever the method"
            flags = f"[R={_STATUS},L,E={_PAGE}:{page_name(one.rule)}]"
            return [directive("RewriteRule", path, "-", flags, why=why, cause=cause)]
        case _:
            return _passed(one, path)


def rule_balancers(web: Web) -> list[Directive]:
    """In the server configuration: the servers of the rules."""
    return [_balancer(seen(web, one), one) for one in web.routing.passed]


def rule_page_rules(web: Web) -> list[Directive]:
    """The first rules of a virtual host: the pages of rules, which say their status themselves."""
    if not has_pages(web):
        return []
    why, cause = "only a rule leads here", "route"
    pages = Paths.of(web.place).error_pages
    return [
        directive("RewriteCond", "%{ENV:REDIRECT_STATUS}", "!^$", why=why, cause=cause),
        directive("RewriteRule", rf"^{PREFIX}(route-[0-9]+\.(?:html|json))$", f"{pages}/$1", "[L,H=send-as-is]",
                  why="a page with its own status", cause=cause, source=_ASIS),
    ]  # fmt: skip


def rule_page_setting(web: Web) -> list[Directive]:
    """In a virtual host: where such a request goes on."""
    if not has_pages(web):
        return []
    why = "leads to the page of the rule"
    return [directive("ErrorDocument", _STATUS, f"{PREFIX}%{{reqenv:{_PAGE}}}", why=why, cause="route")]


def rule_sections(web: Web) -> list[Directive]:
    """In a virtual host: what those servers are told, and what becomes of their redirects and cookies."""
    spellings, said = _spellings(web), frozenset(told_to_app(web))
    of = [item for item in spellings if item not in said]
    return [*_for_all(web, of), *(_section(web, one, said.union(of)) for one in web.routing.passed)]


def rule_pages(web: Web) -> list[File]:
    """The pages of rules, with their heads."""
    made = []
    for one in web.routing.routes:
        if not _is_own_page(one):
            continue
        assert isinstance(one.rule.target, ToPage)
        to, cause = one.rule.target, one.rule.cause
        page = rule_page(page_name(one.rule), to.text, cause)
        made.append(as_it_stands(page, page.path, to.status, cause))
    return made


def has_pages(web: Web) -> bool:
    """Whether a rule shows a page."""
    return any(map(_is_own_page, web.routing.routes))


def _is_own_page(one: Route) -> bool:
    return isinstance(one.rule.target, ToPage) and bool(one.rule.target.file)


def impossible(web: Web) -> Iterator[Problem]:
    """Rules that httpd cannot follow."""
    for one in web.routing.routes:
        what = _lacks(one) or _is_early(web, one)
        if what:
            yield Problem(one.rule.cause, what, _NGINX)
    needed = dict.fromkeys([*map(module_of, targets(web)), *proof_modules(web)])
    yield from lacking(web.place.gateway, needed, "[[route]]", "route")
    if web.site.is_routed:
        what = "with Apache httpd, no other site can lead to it: httpd listens at no unix socket"
        yield Problem(web.site.cause("routed_by"), what, _NGINX)


def targets(web: Web) -> list[str]:
    """The protocols of the rules' servers."""
    return [one.passage.upstream.protocol for one in web.routing.passed if one.passage]


def seen(web: Web, one: Route) -> Web:
    """The site as if its app ran at the target."""
    assert one.passage is not None
    of = one.passage
    return replace(
        web, upstream=of.upstream, link=of.link, trust=of.trust, prefix=one.prefix, is_waiting=False,
        features=frozenset(), routing=replace(web.routing, routes=()),
    )  # fmt: skip


def _is_early(web: Web, one: Route) -> str:
    to = one.rule.target
    if not isinstance(to, ToRedirect) and not _is_own_page(one):
        return ""
    asked = meeting(Below(one.rule.path), route_guards(one, web.chains))
    if not any(isinstance(guard, Password) for guard in asked):
        return ""
    return (
        f'to = "{one.rule.word}": httpd answers a redirect or a page of a rule before it asks for a password'
    )


def _lacks(one: Route) -> str:
    match one.rule.target:
        case ToSite(name):
            return f'to = "{name}": with Apache httpd, no rule leads to another site: httpd listens at no unix socket'
        case ToServer(server) if server.protocol == "https" and not server.host:
            return f'to = "{server.name}": with Apache httpd, a unix socket speaks no https'
        case _:
            return ""


def _passed(one: Route, path: str) -> list[Directive]:
    cause, flags = one.rule.cause, f"[P,L,NE,E={SILENCE}:{_silence(one)}]"
    if not is_http_route(one):
        why, chosen = (
            "the target of the rule",
            f"[L,E={TO}:{balancer_name(_word(one))},E={SILENCE}:{_silence(one)}]",
        )
        return [directive("RewriteRule", path, "-", chosen, why=why, cause=cause)]
    to = balancer(_word(one))
    if not one.prefix:
        why = "the target of the rule, with the path as the client sent it"
        return [directive("RewriteRule", path, f"{to}%{{ENV:{PATH}}}", flags, why=why, cause=cause)]
    odd = (
        "the path is spelled in another way (%61 for a, a segment . or ..): the target would read another one"
    )
    why = "the target, without the rule's path; the rest reaches it byte for byte"
    return [
        directive(
            "RewriteCond", f"%{{ENV:{PATH}}}", f"^{regex(one.prefix)}{_DOTS}(/.*)$", why=why, cause=cause
        ),
        directive("RewriteRule", path, f"{to}%1", flags, why=why, cause=cause),
        directive("RewriteRule", path, "-", "[R=400,L]", why=odd, cause=cause),
    ]


def _balancer(there: Web, one: Route) -> Directive:
    cause, way = one.rule.cause, there.link
    why = "the target of the rule; the only one, and so never left alone"
    members = [
        member(there, target, f"r{one.rule.number}", way.silence_seconds, why, cause, bound=room(there, 1, 1))
        for target in there.upstream.targets
    ]
    name = balancer(_word(one))
    return section("Proxy", name, why=f"the target of a rule: {one.rule.word}", cause=cause, of=members)


def _spellings(web: Web) -> list[Directive]:
    """What no server of a rule gets, without doubles."""
    return list(dict.fromkeys(item for one in web.routing.passed for item in other_spellings(seen(web, one))))


def _for_all(web: Web, of: list[Directive]) -> list[Directive]:
    """Once for the HTTP servers of all rules: requests that stay here need not pay for so many lines."""
    numbers = ",".join(f"'{one.rule.number}'" for one in web.routing.passed if is_http_route(one))
    why, asked = "what the servers of rules are not told", f"reqenv('{RULE}') -in {{{numbers}}}"
    return [section("If", asked, why=why, cause="route", of=of)] if of else []


def _section(web: Web, one: Route, above: frozenset[Directive]) -> Directive:
    there, cause = seen(web, one), one.rule.cause
    why = "what this target is told"
    before = f"expr=%{{reqenv:{BEFORE}}}{one.prefix}" if web.host.prefix_from_proxy else value(one.prefix)
    prefix = [directive("RequestHeader", "set", "X-Forwarded-Prefix", before, cause=cause,
                        why="what httpd takes off the path")] if one.prefix else []  # fmt: skip
    own = "between httpd and the app of this site alone"
    return section(
        "If", f"reqenv('{RULE}') == '{one.rule.number}'", why=why, cause=cause,
        of=[
            *own_host(one),
            *(item for item in told_to_app(there) if item not in above),
            *prefix,
            *(directive("RequestHeader", "unset", name, why=own, cause=cause) for name in _OWN),
            *_parameters(one),
            *_put_right(one),
            *own_redirects(one),
        ],
    )  # fmt: skip


def _put_right(one: Route) -> Iterator[Directive]:
    """Redirects and cookies of a target that does not know the rule's path."""
    if not one.prefix:
        return
    cause, path = one.rule.cause, f"{one.prefix}/"
    why = "redirects and cookies of the target get the rule's path back"
    here = f"resp('Location') -strmatch '%{{reqenv:{SCHEME}}}://%{{reqenv:{HOST}}}/*'"
    back = path.replace("\\", r"\\").replace("$", r"\$")
    yield directive("Header", "edit", "Location", "^/(?!/)", back, why=why, cause=cause)
    yield directive(
        "Header", "edit", "Location", "^[a-z]+://[^/]*/", back, f"expr={here}", why=why, cause=cause
    )
    yield directive("Header", "edit", "Set-Cookie", _COOKIE_PATH, f"$1{back}", why=why, cause=cause)


def _parameters(one: Route) -> Iterator[Directive]:
    """What a uwsgi or FastCGI server is told beside the headers. httpd knows the scheme of the connection alone."""
    if is_http_route(one):
        return
    cause, is_secure = one.rule.cause, f"reqenv('{SCHEME}') == 'https'"
    why = "`on` or nothing, for what knows no REQUEST_SCHEME: uWSGI, PHP"
    yield directive("SetEnvIfExpr", is_secure, "HTTPS=on", why=why, cause=cause)
    why = "httpd counts the bytes of an upload without a length before it passes it on"
    yield directive("SetEnvIfExpr", "true", "proxy-sendcl=1", why=why, cause=cause)
    if one.passage is None or one.passage.upstream.protocol != "fastcgi":
        return

    def said(name: str, *text: str, why: str, condition: str = "true") -> Directive:
        return directive("ProxyFCGISetEnvIf", condition, name, *text, why=why, cause=cause)

    yield said("SCRIPT_NAME", "", why="the whole path is PATH_INFO")
    yield said("PATH_INFO", "%{REQUEST_URI}", why="the decoded path")
    yield said("REQUEST_SCHEME", f"%{{reqenv:{SCHEME}}}", why="as the client used it")
    why, asked = "httpd keeps it from CGI programs", "-n req_novary('Authorization')"
    yield said("HTTP_AUTHORIZATION", "%{req_novary:Authorization}", why=why, condition=asked)
    why = "the target decides what runs there: no path of a client's becomes a file"
    for name in _UNSAID:
        yield said(f"!{name}", why=why)


def _silence(one: Route) -> int:
    return microseconds(one.passage.link.silence_seconds) if one.passage else 0


def _word(one: Route) -> str:
    return f"r{one.rule.number}"


def _plain(text: str) -> str:
    """A URL, literally in the target of a RewriteRule."""
    return text.replace("%", r"\%").replace("$", r"\$")
