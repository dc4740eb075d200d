"""Named locations of rules: a WebSocket to a server, and a request that maintenance lets in."""

from __future__ import annotations

from portico.plan.gateway.nginx.app.detours import UPGRADED_SECONDS, closed, to_tunnel, upgraded
from portico.plan.gateway.nginx.app.routes import ruled
from portico.plan.gateway.nginx.conf import Directive
from portico.plan.gateway.nginx.routing.elsewhere import answer
from portico.plan.web.model import Web
from portico.plan.web.mount import Below, Elsewhere


def rule_detours(web: Web) -> list[Directive]:
    """Those of each rule that leads to a server."""
    made = list[Directive]()
    for mount in web.mounts:
        if not isinstance(mount.action, Elsewhere) or not isinstance(mount.match, Below):
            continue
        one, guards = mount.action.route, mount.guards
        name = next((name for name, item in ruled(web).items() if item is one), "")
        if name:
            made += upgraded(web, name, answer(web, one, silence_seconds=UPGRADED_SECONDS), guards)
            made += closed(web, name, answer(web, one), guards, [to_tunnel()])
    return made
