"""robots.txt, where the app has none: a file that nginx sends."""

from __future__ import annotations

from portico.plan.files import File, Line
from portico.plan.gateway.nginx.guards import guarded
from portico.plan.gateway.nginx.headers import of_nginx
from portico.plan.gateway.nginx.log.line import file_log
from portico.plan.gateway.nginx.syntax import Directive, block, directive
from portico.plan.paths import Paths
from portico.plan.web.guards import WantedCrawler
from portico.plan.web.model import Web
from portico.plan.web.unwanted.crawlers import ROBOTS

_FILE = ROBOTS.removeprefix("/")
_SECONDS = 3600
_RFC = "https://www.rfc-editor.org/rfc/rfc9309"


def robots_files(web: Web) -> list[File]:
    """The file itself."""
    if web.robots is None:
        return []
    why = "which crawlers may come"
    return [File(_FILE, tuple(Line(line, why, _RFC, web.robots.cause) for line in web.robots.lines))]


def robots_location(web: Web) -> list[Directive]:
    """Where it is asked for: whoever is refused by its name may read it, too."""
    if web.robots is None:
        return []
    cause = web.robots.cause
    return [
        block(
            "location", "=", ROBOTS, why="the app has no robots.txt; this one is written from [crawlers]", cause=cause,
            of=[
                directive("alias", f"{Paths.of(web.place).conf}/{_FILE}", why="Portico writes it", cause=cause),
                directive("default_type", "text/plain", why="a text", cause=cause),
                *file_log(web),
                *of_nginx(web),
                directive(
                    "add_header", "Cache-Control", f"public, max-age={_SECONDS}", cause=cause,
                    why="crawlers ask again after an hour",
                ),
                *guarded(web, web.chains.files, passed=(WantedCrawler,)),
            ],
        )
    ]  # fmt: skip
