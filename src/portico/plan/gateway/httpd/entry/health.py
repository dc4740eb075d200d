"""The health path: whether a release is live. httpd has no subrequest to the app whose status alone counts."""

from __future__ import annotations

from portico.plan.files import File, Line
from portico.plan.gateway.httpd.names import UNLOGGED
from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.paths import Paths
from portico.plan.web.entry.health import HEALTH
from portico.plan.web.model import Web

_WELL, _UNWELL = "ok", "unwell"
NOTE = f"{HEALTH} says whether a release is live: Portico asks the app itself, httpd cannot ask it for a status alone"


def health_files(web: Web) -> list[File]:
    """The words of both answers."""
    why = "one word, not a page"
    return [File(f"health/{word}", (Line(word, why, "", web.health.cause),)) for word in (_WELL, _UNWELL)]


def health_rules(web: Web) -> list[Directive]:
    """The first rules of a virtual host, so on any Host."""
    paths, cause = Paths.of(web.place), web.health.cause
    path = f"^{HEALTH}$"
    why = "this file exists while a release is live: the app has answered its health path"
    end = f"[T=text/plain,L,E={UNLOGGED}:1]"
    made = list[Directive]()
    if web.upstream.has_app:
        made += [
            directive("RewriteCond", paths.live, "!-f", why=why, cause=cause),
            directive("RewriteRule", path, "-", f"[R=503,L,E={UNLOGGED}:1]", why="no release is live: send the "
                      "traffic elsewhere", cause=cause),
        ]  # fmt: skip
    return [
        *made,
        directive("RewriteRule", path, f"{paths.conf}/health/{_WELL}", end, why="health for load balancers, which ask "
                  "by address: on any Host, one word", cause=cause),
    ]  # fmt: skip


def health_folder(web: Web) -> str:
    """The folder with the words."""
    return f"{Paths.of(web.place).conf}/health"
