"""Named locations of rules: those with conditions, a WebSocket to a server, a request that maintenance lets in."""

from __future__ import annotations

from portico.plan.gateway.nginx.app.detours import UPGRADED_SECONDS, closed, to_tunnel, upgraded
from portico.plan.gateway.nginx.routing.choice import rule_location, word_of
from portico.plan.gateway.nginx.routing.elsewhere import answer, answering, elsewhere
from portico.plan.gateway.nginx.syntax import Directive
from portico.plan.web.model import Web
from portico.plan.web.mount import Elsewhere, Exact, Mount
from portico.plan.web.routing.build import route_guards
from portico.site.routing import ToServer


def rule_detours(web: Web) -> list[Directive]:
    """Those of each rule."""
    made = list[Directive]()
    for one in web.routing.routes:
        guards, word = route_guards(one, web.chains), word_of(one)
        if not one.rule.is_plain:
            why = f"a rule sends these requests to {one.rule.word}"
            mount = Mount(Exact(one.rule.path), Elsewhere(one), why, one.rule.cause, guards)
            made.append(elsewhere(web, mount, [rule_location(web, word)]))
        made += answering(web, one)
        if isinstance(one.rule.target, ToServer):
            made += upgraded(web, word, answer(web, one, silence_seconds=UPGRADED_SECONDS), guards)
            made += closed(web, word, answer(web, one), guards, [to_tunnel()])
    return made
