"""Locations of rules: another site, a server, a redirect or a page answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from portico.plan.gateway.nginx.access import refusal
from portico.plan.gateway.nginx.app.challenge import without_pass
from portico.plan.gateway.nginx.app.detours import to_tunnel
from portico.plan.gateway.nginx.app.link import pass_to_app, told_to_app
from portico.plan.gateway.nginx.app.routes import ruled_way
from portico.plan.gateway.nginx.app.upstream import resolver, upstream_name
from portico.plan.gateway.nginx.entry.host_header import host_seen
from portico.plan.gateway.nginx.entry.maintenance import shut_page
from portico.plan.gateway.nginx.entry.tls import secured_headers
from portico.plan.gateway.nginx.entry.trust import scheme
from portico.plan.gateway.nginx.files.spa import to_spa
from portico.plan.gateway.nginx.guards import guarded
from portico.plan.gateway.nginx.names import location, variable
from portico.plan.gateway.nginx.pages import PREFIX, any_body, failures, gone_elsewhere
from portico.plan.gateway.nginx.syntax import Directive, block, directive, entries
from portico.plan.gateway.nginx.waf import handed_on, is_inspected, refused_by_waf
from portico.plan.paths import Paths
from portico.plan.web.guards import Asked, Password
from portico.plan.web.model import Web
from portico.plan.web.mount import Elsewhere, Mount
from portico.plan.web.routing.build import every_guard, route_guards
from portico.plan.web.routing.model import Route
from portico.site.pattern import escape
from portico.site.routing import ToPage, ToRedirect, ToServer, ToSite, page_name

_PROXY = "https://nginx.org/en/docs/http/ngx_http_proxy_module.html"
_DOTS = r"(?![^?]*/(?i:\.|%2e){1,2}(?:[/?]|(?i:%2f)|$))"
"""No dot segment follows: without the rule's path it would mean another path than the guards were asked about."""
REST = "portico_rest"
"""The capture; sites share the name, because PCRE has no longer ones than 32 letters."""
_ANY = "404"
_NO_METHOD = "405"
"""What nginx says for a file, to methods that have no file."""


def upstreams(web: Web) -> list[Directive]:
    """At `http` level: the servers of the rules."""
    return [one_upstream(seen(web, one), one) for one in web.routing.passed]


def stripped_maps(web: Web) -> list[Directive]:
    """At `http` level: the request's path and query without a rule's path, byte for byte.

    The capture is named and used alone, as in `limits.held`.
    """
    return [
        entries(
            "map", "$request_uri", _stripped(web, one),
            table=[("default", ""), (f"~^{escape(one.prefix)}{_DOTS}(?<{REST}>/.*)$", f"${REST}")],
            why=f"the path below {one.prefix} as the client sent it; empty if it is spelled in another way",
            cause=one.rule.cause,
        )
        for one in web.routing.routes
        if one.prefix
    ]  # fmt: skip


def elsewhere(web: Web, mount: Mount, words: Sequence[str]) -> Directive:
    """The location of a rule."""
    assert isinstance(mount.action, Elsewhere)
    one = mount.action.route
    inspects = is_inspected(mount.guards)
    is_server = isinstance(one.rule.target, ToServer)
    return block(
        "location", *words, why=mount.why, cause=one.rule.cause,
        of=[
            directive(
                "set", variable(web, "taken"), one.rule.number, why="the log names the rule", cause=one.rule.cause
            ),
            *(ruled_way(web, one) if is_server else []),
            *(gone_elsewhere(web) if one.passage else []),
            *_odd(web, one),
            *guarded(web, mount.guards, [*([to_tunnel()] if is_server else []), *_page_first(web, one)]),
            *(handed_on(web, mount) if inspects else _after_guards(web, one) if _is_asked_late(web, one)
              else answer(web, one)),
        ],
    )  # fmt: skip


def answer(web: Web, one: Route, *, silence_seconds: float = 0) -> list[Directive]:
    """What a location does with the requests of a rule."""
    match one.rule.target:
        case ToRedirect(status, url) as to:
            whole = f"{url}$request_uri" if to.keeps_path else url
            return [directive("return", status, whole, why="where the rule leads", cause=one.rule.cause)]
        case ToPage(status, ""):
            return [directive("return", status, why="nothing is there", cause=one.rule.cause)]
        case ToPage(status, _):
            return _page(web, one, status)
        case _:
            return _passed(web, one, silence_seconds)


def seen(web: Web, one: Route, silence_seconds: float = 0) -> Web:
    """The site as if its app ran at the target."""
    assert one.passage is not None
    way = one.passage.link
    way = replace(way, silence_seconds=silence_seconds) if silence_seconds else way
    return replace(
        web, upstream=one.passage.upstream, link=way, trust=one.passage.trust, prefix=one.prefix, is_waiting=False,
        features=frozenset(), cache=None,
    )  # fmt: skip


def _page_first(web: Web, one: Route) -> list[Directive]:
    """A navigation that no file and no other rule answers is the single-page app's."""
    return to_spa(web) if one.rule.path == "/" and one.rule.is_plain else []


def _page(web: Web, one: Route, status: int) -> list[Directive]:
    cause, page = one.rule.cause, f"{PREFIX}{page_name(one.rule)}"
    return [
        directive("error_page", _ANY, f"={status}", page, why="the page of the rule", cause=cause),
        *_other_pages(web),
        directive("return", _ANY, why="leads to that page, whatever the method", cause=cause),
    ]


def _other_pages(web: Web) -> list[Directive]:
    """In a location with an error page of its own, which inherits none: those of the server."""
    guards = every_guard(web.routing, web.chains)
    pages = [*failures(web), *refusal(web, guards), *shut_page(web, guards)]
    return [*pages, *refused_by_waf(web), *without_pass(web)]


def _is_asked_late(web: Web, one: Route) -> bool:
    """Whether nginx asks who the client is after it would have answered with `return`."""
    answers_itself = isinstance(one.rule.target, ToRedirect | ToPage)
    return answers_itself and any(
        isinstance(guard, Password | Asked) for guard in route_guards(one, web.chains)
    )


def _after_guards(web: Web, one: Route) -> list[Directive]:
    """Leads to what the rule answers once every guard let the request through: a file is looked for last."""
    cause, why = one.rule.cause, "no file is there: the rule answers once the client may come here"
    return [
        directive("error_page", _ANY, _NO_METHOD, "=", _answering(web, one), why=why, cause=cause),
        *_other_pages(web),
        directive("root", f"{Paths.of(web.place).conf}/nothing", why=why, cause=cause),
        directive("log_not_found", "off", why="that is how it is meant", cause=cause),
    ]


def answering(web: Web, one: Route) -> list[Directive]:
    """The named location of that answer."""
    if not _is_asked_late(web, one) or is_inspected(route_guards(one, web.chains)):
        return []
    why = "the client may come here: the answer of the rule"
    return [block("location", _answering(web, one), why=why, cause=one.rule.cause, of=answer(web, one))]


def _answering(web: Web, one: Route) -> str:
    return f"{location(web, 'ruled')}_{one.rule.number}"


def _passed(web: Web, one: Route, silence_seconds: float) -> list[Directive]:
    there = seen(web, one, silence_seconds)
    is_site = isinstance(one.rule.target, ToSite)
    return [
        *(_of_site(web, one) if is_site else []),
        *(item for item in told_to_app(there) if not (is_site and item.args[:1] == ("X-Request-ID",))),
        *_put_right(web, one),
        _pass(web, there, one),
    ]


def _of_site(web: Web, one: Route) -> Iterator[Directive]:
    """The other site has limits, headers, compression and a log of its own."""
    cause = one.rule.cause
    yield any_body()
    yield directive("access_log", "off", why="the other site logs its requests, in its own log", cause=cause)
    yield directive("gzip", "off", why="the other site has compressed what it compresses", cause=cause)
    yield from secured_headers(web)
    why = "the other site sends its own headers: those of this server are not added to them"
    yield directive("add_header", "X-Request-ID", "", why=why, cause=cause)
    why = "the other site keeps an answer for a slow client, and a body until it is complete"
    yield directive("proxy_buffering", "off", why=why, cause=cause, source=f"{_PROXY}#proxy_buffering")
    yield directive(
        "proxy_request_buffering", "off", why=why, cause=cause, source=f"{_PROXY}#proxy_request_buffering"
    )


def _put_right(web: Web, one: Route) -> Iterator[Directive]:
    """Redirects and cookies of a target that does not know the rule's path."""
    if not one.prefix:
        return
    cause, path = one.rule.cause, f"{one.prefix}/"
    here = f"{scheme(web)}://{host_seen(web)}/"
    why = "redirects and cookies of the target get the rule's path back"
    source = f"{_PROXY}#proxy_redirect"
    yield directive(
        "proxy_redirect", "//", "//", why="another host, named without a scheme", cause=cause, source=source
    )
    yield directive("proxy_redirect", "/", path, why=why, cause=cause, source=source)
    yield directive("proxy_redirect", here, path, why=why, cause=cause, source=source)
    yield directive(
        "proxy_cookie_path", "/", path, why=why, cause=cause, source=f"{_PROXY}#proxy_cookie_path"
    )


def _odd(web: Web, one: Route) -> list[Directive]:
    """A path in another spelling cannot be stripped byte for byte."""
    if not one.prefix:
        return []
    cause = one.rule.cause
    why = (
        "the path is spelled in another way (%61 for a, a segment . or ..): the target would read another one"
    )
    return [
        block(
            "if", f"({_stripped(web, one)}", "!~", "^/)", why=why, cause=cause,
            of=[directive("return", 400, why=why, cause=cause)],
        )
    ]  # fmt: skip


def _pass(web: Web, there: Web, one: Route) -> Directive:
    if not one.prefix:
        return pass_to_app(there)
    why = "the target, without the rule's path; the rest reaches it byte for byte"
    target = f"{there.upstream.protocol}://{upstream_name(there)}{_stripped(web, one)}"
    return directive("proxy_pass", target, why=why, cause=one.rule.cause)


def one_upstream(there: Web, one: Route) -> Directive:
    """At `http` level: the server of a rule."""
    cause, is_followed = one.rule.cause, any(target.is_followed for target in there.upstream.targets)
    name = upstream_name(there)
    of = [
        directive("server", target.address, "max_fails=0", *(["resolve"] if target.is_followed else []), cause=cause,
                  why="the target of the rule; the only one, and so never left alone")
        for target in there.upstream.targets
    ]  # fmt: skip
    if is_followed:
        zone = directive(
            "zone", name, "64k", why="the addresses that its name has at the moment", cause=cause
        )
        of = [zone, *resolver(there), *of]
    return block("upstream", name, why=f"the target of a rule: {one.rule.word}", cause=cause, of=of)


def _stripped(web: Web, one: Route) -> str:
    return variable(web, f"stripped_{one.rule.number}")
