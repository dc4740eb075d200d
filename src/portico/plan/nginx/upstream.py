"""The app server as nginx knows it: a named upstream."""

from __future__ import annotations

from portico.plan.nginx.conf import Directive, block
from portico.plan.paths import Paths

UPSTREAM = "portico_app"
_SERVER = "https://nginx.org/en/docs/http/ngx_http_upstream_module.html#server"


def upstream(paths: Paths) -> Directive:
    """The live socket, listed twice."""
    why = (
        "the live socket: looked up at every connect, so a new release takes over by a rename; listed twice, "
        "so that a request whose worker died can be tried on another"
    )
    server = Directive("server", (f"unix:{paths.socket}", "max_fails=0"), why=why, source=_SERVER, cause="D3")
    return block("upstream", UPSTREAM, why="the app server", cause="D3", of=[server, server])
