"""The health path: whether a release is live. httpd has no subrequest to the app whose status alone counts."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.files import File, Line
from portico.plan.gateway.httpd.names import UNLOGGED
from portico.plan.gateway.httpd.syntax import Directive, directive
from portico.plan.paths import Paths
from portico.plan.web.entry.health import HEALTH
from portico.plan.web.model import Web

_WELL, _UNWELL = "ok", "unwell"
_PATH = f"^{HEALTH}$"
NOTE = f"{HEALTH} says whether a release is live: Portico asks the app itself, httpd cannot ask it for a status alone"


def health_files(web: Web) -> list[File]:
    """The words of both answers."""
    return [_word(word, web.health.cause) for word in (_WELL, _UNWELL)]


def host_word() -> File:
    """The word of a gateway that several sites share."""
    return _word(_WELL, "")


def _word(word: str, cause: str) -> File:
    return File(f"health/{word}", (Line(word, "one word, not a page", "", cause),))


def health_rules(web: Web) -> list[Directive]:
    """The first rules of a virtual host, so on any Host."""
    paths, cause = Paths.of(web.place), web.health.cause
    why = "this file exists while a release is live: the app has answered its health path"
    made = list[Directive]()
    if web.upstream.has_app:
        made += [
            directive("RewriteCond", paths.live, "!-f", why=why, cause=cause),
            directive("RewriteRule", _PATH, "-", f"[R=503,L,E={UNLOGGED}:1]", why="no release is live: send the "
                      "traffic elsewhere", cause=cause),
        ]  # fmt: skip
    return [
        *made,
        says_well(web.place, "health for load balancers, which ask by address: on any Host, one word", cause),
    ]


def says_well(place: Place, why: str, cause: str) -> Directive:
    """The rule that answers with one word."""
    end = f"[T=text/plain,L,E={UNLOGGED}:1]"
    return directive("RewriteRule", _PATH, f"{health_folder(place)}/{_WELL}", end, why=why, cause=cause)


def health_folder(place: Place) -> str:
    """The folder with the words."""
    return f"{Paths.of(place).conf}/health"
