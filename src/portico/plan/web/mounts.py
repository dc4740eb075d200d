"""Every mount of the site: its files, what is never sent of them, and what the app answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from portico.place.model import Place
from portico.plan.letters import in_bytes
from portico.plan.web.files.statics import Sent, Statics, served
from portico.plan.web.guards import Chains, Guard, by_path
from portico.plan.web.inside import exact_inside, patterns_inside
from portico.plan.web.mount import (
    App,
    Below,
    Exact,
    Files,
    Match,
    Matching,
    Mount,
    NotFound,
    OneFile,
    Redirect,
)
from portico.plan.web.routes import RoutePath, bare, doubled, families, route_paths
from portico.site.front.fingerprints import SOURCES
from portico.site.model import Site
from portico.site.pattern import escape, head, is_fixed

_NEVER = "never sent, however the path is spelled: dotfiles, Python and templates, what editors leave behind"


def mounts(site: Site, place: Place, statics: Statics, chains: Chains) -> tuple[Mount, ...]:
    """Files first, then files that are never sent, then the app. `chains` are the guards of the app's answers."""
    made = _Mounts(site, place, statics, chains)
    if site.is_ruled:
        return tuple(made.files())
    return (*made.files(), *made.refused_of_app(), *made.app())


class _Mounts:
    def __init__(self, site: Site, place: Place, statics: Statics, chains: Chains) -> None:
        self._site = site
        self._chains = chains
        self._statics = statics
        self._served = served(site, place)
        self._found = route_paths(site)

    def files(self) -> Iterator[Mount]:
        why = "files are sent without the app"
        for ours, folder in zip(self._served, self._statics.folders, strict=True):
            inside = tuple(map(self._of_route, patterns_inside(self._site, ours, self._found)))
            yield self._files(Below(folder.url), Files(folder), why, folder.sent, inside)
        for file in self._statics.files:
            yield self._files(Exact(file.url), OneFile(file), why, file.sent)

    def _files(
        self, match: Match, action: Files | OneFile, why: str, sent: Sent, inside: tuple[Mount, ...] = ()
    ) -> Mount:
        asked = App(is_cached=False) if sent.is_asked else None
        guards = meeting(match, self._chains.files)
        return Mount(match, action, why, sent.cause, guards, asked=asked, inside=inside)

    def refused_of_app(self) -> Iterator[Mount]:
        """The refused files of folders that the app sends, because the gateway cannot or must not."""
        return self._refused(self._statics.left, "/+")

    def app(self) -> Iterator[Mount]:
        """Every path that the app answers: the rest of the site, routes among static files, routes with settings."""
        site, found, prefix = self._site, self._found, self._site.prefix
        exact = {head(one.pattern): one for one in found if is_fixed(one.pattern)}
        urls = [folder.url for folder in self._served]
        for path in exact_inside(site, self._served):
            why = f"a route of the app inside a static URL: {path}"
            route = exact.pop(path, None)
            yield self._app(Exact(prefix + path), why, route=route)
            if path.endswith("/") and path != "/" and path[:-1] not in exact:
                exact[path[:-1]] = bare(path, found)
        for url in sorted(left.url for left in site.left if any(left.url.startswith(url) for url in urls)):
            inside = [one for one in found if not is_fixed(one.pattern) and _meet(one.head, url)]
            why = f"a folder that is left to the app inside a static URL: {url}"
            yield self._app(Below(prefix + url), why, inside=map(self._of_route, inside))
        yield from map(self._of_route, exact.values())
        grouped = families([one for one in found if not any(one.head.startswith(url) for url in urls)])
        rest = grouped.pop("/", [])
        for text, inside in grouped.items():
            why = f"routes below {text} have settings of their own"
            yield self._app(Below(prefix + text), why, inside=map(self._of_route, inside))
        yield from self._doubled()
        yield from self._everything_else(rest)

    def _doubled(self) -> Iterator[Mount]:
        """Paths that begin with repeated slashes: files that are never sent are refused there, too."""
        refused = self._refused([folder.url for folder in self._statics.folders], "//+")
        inside = [*refused, *map(self._of_route, doubled(self._site, self._found))]
        if inside:
            why = "Werkzeug takes several slashes at the beginning for one: what holds for its paths holds there, too"
            yield self._app(Below(f"{self._site.prefix}//"), why, inside=inside, is_cached=False)

    def _everything_else(self, inside: Sequence[RoutePath]) -> Iterator[Mount]:
        site, routes = self._site, map(self._of_route, inside)
        if not site.prefix:
            yield self._app(Below("/"), "everything else is the app's", inside=routes)
            return
        cause = site.cause("mount")
        yield Mount(Exact(site.prefix), Redirect(f"{site.prefix}/"), "the prefix without its slash", cause)
        yield self._app(Below(f"{site.prefix}/"), "the app lives under this prefix", cause, inside=routes)
        yield Mount(Below("/"), NotFound(), "nothing lives outside the prefix", cause)

    def _of_route(self, one: RoutePath) -> Mount:
        prefix = self._site.prefix
        pattern = in_bytes(one.pattern, self._site.facts.unicode)
        match: Match = Matching(rf"^{escape(prefix)}{pattern}\z")
        if is_fixed(one.pattern):
            match = Exact(prefix + head(one.pattern))
        return self._app(match, one.why, one.cause, route=one, is_cached=one.keeps)

    def _app(
        self,
        match: Match,
        why: str,
        cause: str = "",
        *,
        route: RoutePath | None = None,
        inside: Iterable[Mount] = (),
        is_cached: bool = True,
    ) -> Mount:
        routed = route.routed if route else None
        guards = meeting(match, self._chains.of(routed))
        return Mount(match, App(routed, is_cached), why, cause, guards, inside=tuple(inside))

    def _refused(self, urls: Iterable[str], slashes: str) -> Iterator[Mount]:
        """Refuses these folders' files that are never sent, where the app would send them: under another spelling
        of the URL, or at all.

        Werkzeug treats repeated slashes at the start of a path as one: `//static/.env` is not a path of the
        gateway's folder, but the app's own static view would send the file. Every other spelling is the same path
        already.
        """
        prefix = self._site.prefix
        for url in sorted({url.removeprefix(prefix) for url in urls} - {"/"}):
            start = f"^{escape(prefix)}{slashes}{escape(url.strip('/'))}/"
            pattern = rf"{start}(?:(?:.*/)?\.|.*(?:~|\.(?:{SOURCES}))/*$)"
            yield Mount(Matching(pattern, ignores_case=True), NotFound(), _NEVER)


def meeting(match: Match, guards: Iterable[Guard]) -> tuple[Guard, ...]:
    """Guards that may apply to a path of this mount."""
    begins = head(match.pattern.removeprefix("^")) if isinstance(match, Matching) else match.path
    begins = re.sub("/+", "/", begins).lower()
    return tuple(guard for guard in guards if _asks(guard, begins))


def _asks(guard: Guard, begins: str) -> bool:
    choice = by_path(guard)
    if choice is None or choice.rest is not None:
        return True
    return any(row.value is not None and _meet(row.head.lower(), begins) for row in choice.rows)


def _meet(first: str, second: str) -> bool:
    return first.startswith(second) or second.startswith(first)
