"""robots.txt, where the app has none: a file that httpd sends, also to crawlers that are refused elsewhere."""

from __future__ import annotations

from portico.plan.files import File, Line
from portico.plan.gateway.httpd.guards import guarded
from portico.plan.gateway.httpd.syntax import Directive, directive, regex, section
from portico.plan.paths import Paths
from portico.plan.web.guards import WantedCrawler
from portico.plan.web.model import Web
from portico.plan.web.unwanted.crawlers import ROBOTS

_FOLDER = "robots"
_SECONDS = 3600
_RFC = "https://www.rfc-editor.org/rfc/rfc9309"


def robots_files(web: Web) -> list[File]:
    """The file itself, alone in its folder."""
    if web.robots is None:
        return []
    why = "which crawlers may come"
    return [
        File(
            f"{_FOLDER}{ROBOTS}", tuple(Line(line, why, _RFC, web.robots.cause) for line in web.robots.lines)
        )
    ]


def robots_rules(web: Web) -> list[Directive]:
    """Before the rules of the mounts: the guards of files, without the one that refuses crawlers."""
    if web.robots is None:
        return []
    pattern, cause = f"^{regex(ROBOTS)}$", web.robots.cause
    guards = [one for one in web.chains.files if not isinstance(one, WantedCrawler)]
    why = "the app has no robots.txt; this one is written from [crawlers]"
    return [
        *(
            directive(one.name, pattern, *one.args[1:], why=one.why, cause=one.cause, source=one.source)
            if one.name == "RewriteRule" and one.args[0] == "^"
            else one
            for one in guarded(web, guards)
        ),
        directive("RewriteRule", pattern, _path(web) + ROBOTS, "[L,T=text/plain]", why=why, cause=cause),
    ]


def robots_folder(web: Web) -> list[Directive]:
    """In the server configuration: the folder of the file."""
    if web.robots is None:
        return []
    cause, why = web.robots.cause, "crawlers ask again after an hour"
    return [
        section(
            "Directory", _path(web), why="the folder of robots.txt alone", cause=cause,
            of=[
                directive("Require", "all", "granted", why="every crawler may read it", cause=cause),
                directive("Header", "set", "Cache-Control", f"public, max-age={_SECONDS}", why=why, cause=cause),
            ],
        )
    ]  # fmt: skip


def _path(web: Web) -> str:
    return f"{Paths.of(web.place).conf}/{_FOLDER}"
