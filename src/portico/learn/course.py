"""The lessons in their order, and what each needs of the copy."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from portico.errors import PorticoError, Problem
from portico.explain.node import Node
from portico.learn.copy import Copy, Seen
from portico.learn.pages import Paths
from portico.learn.trial import trial, with_path
from portico.lessons import down, location, missing, slash, steps
from portico.lessons.model import Lesson

FORGED = "203.0.113.9"
"""An address for documentation (RFC 5737)."""
_NGINX = "nginx"
_DOWN_SECONDS = 90.0
_TOO_LARGE = 413


class Chapter(Struct, frozen=True):
    """`build` asks the copy. Those `of_nginx` need a site whose gateway is nginx."""

    name: str
    title: str
    build: Callable[[Copy, Paths], Lesson]
    of_nginx: bool = False


class LeftOut(Struct, frozen=True):
    """A lesson that this site cannot have."""

    name: str
    why: str


NOTHING_SEEN = "nothing that the copy answered differs enough to be asked"


def chapters(gateway: str) -> list[Chapter]:
    """Those that a site with this gateway has."""
    return [one for one in CHAPTERS if gateway == _NGINX or not one.of_nginx]


def left_out(gateway: str) -> list[LeftOut]:
    """The others."""
    why = f"about nginx, and the gateway here is {gateway}"
    there = chapters(gateway)
    return [LeftOut(one.name, why) for one in CHAPTERS if one not in there]


def _steps(copy: Copy, paths: Paths) -> Lesson:
    forged = copy.ask(paths.app, headers=(("X-Forwarded-For", FORGED),))
    return steps.steps(copy.ask(paths.app).trace, paths.app, forged.trace, FORGED)


def _location(copy: Copy, paths: Paths) -> Lesson:
    verdict = copy.verdict(paths.app)
    if verdict is None:
        raise PorticoError(Problem("the copy", f"no server of it answers {paths.app}"))
    with trial(copy.found.plan.binary, verdict.server) as made:
        asked = _paths_to_locate(paths, with_path(verdict.server))
        found = {path: node for path in asked if (node := made.location(path))}
    located = [_located(copy, path, node, found, verdict.server) for path, node in found.items()]
    return location.location([one for one in located if one], len(with_path(verdict.server)))


def _paths_to_locate(paths: Paths, locations: list[Node]) -> list[str]:
    exact = next((node.args[1] for node in locations if node.args[0] == "="), "")
    hidden = f"{paths.folder}.env" if paths.folder else ""
    return [path for path in (paths.app, paths.file, hidden, exact) if path]


def _located(
    copy: Copy, path: str, node: Node, found: dict[str, Node], server: Node
) -> location.Located | None:
    """None if the site's other lines, such as a `rewrite`, lead that path elsewhere."""
    verdict = copy.verdict(path)
    if verdict is None or verdict.location is None or verdict.location.text != node.text:
        return None
    others = [one.text for one in (*found.values(), *reversed(with_path(server)))]
    return location.Located(path, node.text, verdict.location_why, tuple(others))


def _missing(copy: Copy, paths: Paths) -> Lesson:
    return missing.missing(copy.ask(paths.app).trace, paths.app, list(_shorter(copy, paths)))


def _shorter(copy: Copy, paths: Paths) -> Iterator[missing.Shorter]:
    if paths.file:
        yield missing.shorter_get("a static file", paths.file, copy.ask(paths.file).trace)
    if paths.cached:
        copy.ask(paths.cached)
        yield missing.shorter_get("asked for the second time", paths.cached, copy.ask(paths.cached).trace)
    if most := int(copy.found.site.max_upload):
        header = ("Content-Length", str(most + 1))
        seen = copy.ask(
            paths.app, headers=(header,)
        )  # a POST would change something where another limit holds
        if seen.trace.status == _TOO_LARGE:
            what = f"GET {paths.app} with a body of {most + 1:,} bytes"
            command = f"portico trace {shlex.quote(paths.app)} -H '{': '.join(header)}'"
            yield missing.Shorter(what, seen.trace, command)


def _slash(copy: Copy, _: Paths) -> Lesson:
    with trial(copy.found.plan.binary, None) as made:
        return slash.slash(made.passes(), made.files())


def _down(copy: Copy, paths: Paths) -> Lesson:
    usual = copy.ask(paths.app).title
    if paths.cached:
        copy.ask(paths.cached)
    copy.kill_app()
    once = _outcome(copy.ask(paths.app), paths.app, "The app server had just been killed")
    often = "The app server had been killed each time that Portico had started it"
    with copy.without_app():
        outcomes = [once, _outcome(_when_down(copy, paths.app), paths.app, often)]
        if paths.file:
            outcomes.append(replace(_outcome(copy.ask(paths.file), paths.file, often), is_file=True))
        if paths.cached:
            outcomes.append(_outcome(copy.ask(paths.cached), paths.cached, often))
    return down.down(outcomes, usual)


def _when_down(copy: Copy, path: str) -> Seen:
    """The first answer of the copy that is not the app's."""
    ends = time.monotonic() + _DOWN_SECONDS
    while time.monotonic() < ends:
        seen = copy.ask(path)
        if seen.trace.status >= 500:
            return seen
    raise PorticoError(
        Problem("the copy", f"its app was killed for {_DOWN_SECONDS:.0f} s, and it still answers")
    )


def _outcome(seen: Seen, path: str, when: str) -> down.Outcome:
    return down.Outcome(path, when, seen.trace, seen.took_ms, seen.title)


CHAPTERS = (
    Chapter("steps", steps.TITLE, _steps),
    Chapter("location", location.TITLE, _location, of_nginx=True),
    Chapter("missing", missing.TITLE, _missing),
    Chapter("slash", slash.TITLE, _slash, of_nginx=True),
    Chapter("down", down.TITLE, _down),
)
"""The last one breaks the copy: it is for good."""
