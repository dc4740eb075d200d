"""Which path is answered by what: the mounts as rules, the first that matches counts.

nginx prefers an exact path, then the longest prefix, and inside it the first pattern; here the rules are written in
that order. A rule without a target (`-`) that ends the search leaves the request to the app.
"""

from __future__ import annotations

from collections.abc import Sequence

from portico.plan import decisions
from portico.plan.gateway.httpd.app.link import chooses, is_http, microseconds
from portico.plan.gateway.httpd.app.times import STREAM_SECONDS, has_websockets, seconds_of, silent, suffix_of
from portico.plan.gateway.httpd.entry.bandwidth import bandwidth_flag
from portico.plan.gateway.httpd.entry.transfer import too_large
from portico.plan.gateway.httpd.files.spa import may_be_page, page_first
from portico.plan.gateway.httpd.files.statics import file_rules
from portico.plan.gateway.httpd.guards import guarded
from portico.plan.gateway.httpd.headers import routes
from portico.plan.gateway.httpd.names import (
    HERE,
    PATH,
    PRIVATE,
    ROUTE,
    RULE,
    SILENCE,
    TO,
    balancer,
    balancer_name,
)
from portico.plan.gateway.httpd.pages import unavailable_rules
from portico.plan.gateway.httpd.routing.choice import choice_rules, taken
from portico.plan.gateway.httpd.routing.elsewhere import answer
from portico.plan.gateway.httpd.syntax import Directive, directive, regex, section
from portico.plan.subjects import Ladder
from portico.plan.web.model import Web
from portico.plan.web.mount import (
    App,
    Below,
    Elsewhere,
    Exact,
    Files,
    Match,
    Matching,
    Mount,
    NotFound,
    OneFile,
    Redirect,
)
from portico.plan.web.routing.build import route_guards
from portico.plan.web.routing.model import Route
from portico.site.model import Routed
from portico.site.routing import is_below


def rules(web: Web) -> list[Directive]:
    """The rules of every mount."""
    made = [
        *choice_rules(web),
        *(one for route in web.routing.conditional for one in _conditional(web, route)),
    ]
    for mount in _ordered(web.mounts):
        for one in (*mount.inside, mount):
            made += _one(web, one)
    return made


def _conditional(web: Web, one: Route) -> list[Directive]:
    """What a rule with conditions does with a request that it takes; all others skip it."""
    block = [*guarded(web, route_guards(one, web.chains)), *_too_large_for(web, one), *answer(one, "^")]
    why, cause = f"a rule sends these requests to {one.rule.word}; others go on below", one.rule.cause
    count = sum(item.name == "RewriteRule" for item in block)
    return [
        directive("RewriteCond", f"%{{ENV:{RULE}}}", f"!={one.rule.number}", why=why, cause=cause),
        directive("RewriteRule", "^", "-", f"[S={count}]", why=why, cause=cause),
        *block,
    ]


def _ordered(mounts: Sequence[Mount]) -> list[Mount]:
    """Exact paths, then those of rules and the files below them, then patterns in their order, then prefixes. Of
    prefixes the longest comes first.
    """
    ruled = [mount.action.route.rule.path for mount in mounts if isinstance(mount.action, Elsewhere)]

    def rank(mount: Mount) -> tuple[int, int]:
        match mount.match:
            case Exact():
                return 0, 0
            case Matching():
                return 2, 0
            case Below(path):
                return 1 if any(is_below(path, one) for one in ruled) else 3, -len(path)

    return sorted(mounts, key=rank)


def _one(web: Web, mount: Mount) -> list[Directive]:
    """The guards and the action of one mount."""
    made = _for(mount.match, guarded(web, mount.guards))
    if isinstance(mount.action, App):
        return [
            *made,
            *_for(mount.match, too_large(_largest(web, mount.action.routed))),
            *_for(mount.match, unavailable_rules(web)),
            *may_be_page(web, pattern(mount.match)),
            *_app(web, mount),
        ]
    if isinstance(mount.action, Files | OneFile):
        return [*made, *file_rules(web, mount)]
    if isinstance(mount.action, Elsewhere):
        at, of = pattern(mount.match), mount.action.route
        first = page_first(web, at) if of.rule.path == "/" else []
        return [taken(of, at), *made, *first, *_for(mount.match, _too_large_for(web, of)), *answer(of, at)]
    path, cause = pattern(mount.match), mount.cause
    flags = ",NC" if isinstance(mount.match, Matching) and mount.match.ignores_case else ""
    match mount.action:
        case Redirect(target):
            why = "one address for one page; 308 keeps a POST a POST"
            made.append(
                directive(
                    "RewriteRule", path, f"%{{ENV:{HERE}}}{target}", f"[R=308,L{flags}]", why=why, cause=cause
                )
            )
        case NotFound():
            made.append(directive("RewriteRule", path, "-", f"[R=404,L{flags}]", why=mount.why, cause=cause))
    return made


def _too_large_for(web: Web, one: Route) -> list[Directive]:
    return too_large(_largest(web, None)) if one.passage else []


def _for(match: Match, made: list[Directive]) -> list[Directive]:
    """The same rules for the paths of this match only: a rule of every path gets the pattern."""
    path = pattern(match)
    return [
        directive(one.name, path, *one.args[1:], why=one.why, cause=one.cause, source=one.source)
        if one.name == "RewriteRule" and one.args[0] == "^"
        else one
        for one in made
    ]


def _app(web: Web, mount: Mount) -> list[Directive]:
    """What the app answers: the search ends, and ProxyPass takes the request; or a balancer with another time."""
    assert isinstance(mount.action, App)
    routed, path, cause = mount.action.routed, pattern(mount.match), mount.cause
    if web.is_waiting:
        return [directive("RewriteRule", path, "-", "[R=502,L]", why="the app is not known yet", cause=cause)]
    flags = _facts(web, routed) + _headers(web, routed) + bandwidth_flag(routed)
    suffix = suffix_of(web, routed)
    made = _websocket(web, path, suffix, flags)
    if not suffix and not (is_http(web) and chooses(web)):
        return [*made, directive("RewriteRule", path, "-", f"[L{flags}]", why=mount.why, cause=cause)]
    why = mount.why
    if suffix:
        assert routed is not None
        why = f"{why}; the app may be silent for another time"
        flags += f",E={SILENCE}:{microseconds(seconds_of(web, routed))}"
    if not is_http(web):
        chosen = f"[L,E={TO}:{balancer_name(suffix)}{flags}]"
        return [directive("RewriteRule", path, "-", chosen, why=why, cause=cause)]
    target = f"{balancer(suffix)}%{{ENV:{PATH}}}"
    return [*made, directive("RewriteRule", path, target, f"[P,L{flags},NE]", why=why, cause=cause)]


def _websocket(web: Web, path: str, suffix: str, flags: str) -> list[Directive]:
    """Before the rule of a mount of the app: a WebSocket goes to the balancer where silence is normal."""
    if not has_websockets(web) or silent(web) == suffix:
        return []
    why = "a WebSocket handshake; Upgrade alone must not move a request to its times"
    asked = "%{REQUEST_METHOD}:%{HTTP:Connection}:%{HTTP:Upgrade}"
    flags += f",E={SILENCE}:{microseconds(STREAM_SECONDS)}"
    return [
        directive("RewriteCond", asked, "^GET:.*upgrade.*:websocket$", "[NC,NV]", why=why, cause=decisions.LINK),
        directive(
            "RewriteRule", path, f"{balancer(silent(web))}%{{ENV:{PATH}}}", f"[P,L{flags},NE]", cause=decisions.LINK,
            why="WebSockets: as the rule below, but silence is normal there",
        ),
    ]  # fmt: skip


def _headers(web: Web, routed: Routed | None) -> str:
    """Which route it is, if its answers have headers of their own, and whether caches may store them."""
    of, private = routes(web), f",E={PRIVATE}:1" if routed and routed.edge.private else ""
    return f"{private},E={ROUTE}:{of.index(routed)}" if routed in of else private


def _facts(web: Web, routed: Routed | None) -> str:
    """What Portico's worker is told about the route."""
    if routed is None or is_http(web):
        return ""
    edge, said = routed.edge, dict[str, str]()
    if edge.timeout or edge.stream:
        seconds = float(edge.timeout) if edge.timeout else float(STREAM_SECONDS)
        said["PORTICO_DEADLINE"] = f"{Ladder.of(seconds).deadline_seconds:g}"
    if edge.stream:
        said["PORTICO_STREAM"] = "1"
        said["no-gzip"], said["no-brotli"] = "1", "1"
    return "".join(f",E={name}:{text}" for name, text in said.items())


def route_sections(web: Web) -> list[Directive]:
    """In a virtual host: the largest upload of each route. Of the sections for a path the last counts, so the rules'
    order is reversed, and where one route says a size, every other says its own.
    """
    if not any(routed.edge.max_upload is not None for routed in web.routed):
        return []
    made = dict[str, Directive]()
    for mount in (one for each in _ordered(web.mounts) for one in (*each.inside, each)):
        if isinstance(mount.action, App | Elsewhere) and pattern(mount.match) not in made:
            routed = mount.action.routed if isinstance(mount.action, App) else None
            path, of = pattern(mount.match), [_largest(web, routed)]
            made[path] = section("LocationMatch", path, of=of, why=mount.why, cause=decisions.ROUTES)
    return list(reversed(made.values()))


def _largest(web: Web, routed: Routed | None) -> Directive:
    size, cause = web.transfer.largest_body, web.transfer.body_cause
    if routed and routed.edge.max_upload is not None:
        size, cause = routed.edge.max_upload, routed.causes.get("max_upload", "")
    why = "the largest upload of these paths; more is 413"
    return directive("LimitRequestBody", int(size), why=why, cause=cause)


def pattern(match: Match) -> str:
    """The match as a pattern of decoded paths."""
    match match:
        case Exact(path):
            return f"^{regex(path)}$"
        case Below(path):
            return "^" if path == "/" else f"^{regex(path)}"
        case Matching(text, ignores_case):
            return f"(?i){text}" if ignores_case else text
