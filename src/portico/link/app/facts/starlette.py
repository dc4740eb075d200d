"""The facts of a Starlette or FastAPI app: its folders of files, and its routes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from portico.link.app.facts.notes import combined, lost
from portico.link.app.facts.starlette_code import has_code, is_usual, own_middleware, prepares
from portico.link.app.facts.starlette_routes import Met, base_of, is_theirs, matches_as_usual, walked
from portico.link.app.facts.starlette_unrouted import unrouted
from portico.site.overlap.segments import may_meet
from portico.site.pattern import ANYTHING, escape, head

_ROOT_PATH = (
    "settings beside views are not read, because the app has a root_path, which Starlette removes from paths: "
    "say it as mount in portico.toml instead"
)


def facts(app: Starlette) -> dict[str, Any]:
    """The part of AppFacts that such an app can provide."""
    met = list(walked(app.router.routes))
    own = [] if getattr(app, "root_path", "") else met
    notes = list(_rewriting(app)) if own or not met else [_ROOT_PATH]
    left: list[dict[str, str]] = []
    static = [folder for number in range(len(met)) for folder in _static(app, met, number, notes, left)]
    return {
        "framework": "starlette",
        "static": sorted(static, key=lambda folder: folder["url"]),
        "left": sorted(left, key=lambda folder: folder["url"]),
        "routes": sorted(_routes(own), key=lambda route: (route["rule"], route["rank"])),
        "unrouted": unrouted(app),
        "lost": lost(one.route.endpoint for one in own if _is_own(one)),
        "notes": notes,
    }


def _routes(met: list[Met]) -> Iterator[dict[str, Any]]:
    """Those of the app itself. In a mounted router or app Starlette reads the path in other ways where it ends in a
    newline, or has two slashes: no pattern tells which view answers.
    """
    for rank, one in enumerate(met):
        route = one.route
        if one.within:
            continue
        if isinstance(route, Mount):
            yield {"rule": f"{one.path}/", "pattern": one.pattern, "rank": rank}
        elif _is_own(one):
            entry = {
                "rule": one.path,
                "methods": _methods(route),
                "endpoint": str(route.name),
                "websocket": isinstance(route, WebSocketRoute),
                "pattern": one.pattern,
                "rank": rank,
            }
            for notes in combined([route.endpoint]):
                yield entry | notes


def _methods(route: Any) -> list[str]:
    """Without the HEAD that Starlette adds to GET; empty for all."""
    methods = set(getattr(route, "methods", None) or ())
    return sorted(methods - {"HEAD"} if "GET" in methods else methods)


def _rewriting(app: Starlette) -> Iterator[str]:
    """A note if settings of views depend on code that may change paths."""
    if own := own_middleware(app) if lost([]) else []:
        what = "where it changes the path of a request, @edge holds for the client's path only"
        yield f"the middleware {', '.join(own)}: {what}"


def _is_own(one: Met) -> bool:
    return not one.within and isinstance(one.route, Route | WebSocketRoute)


def _static(
    app: Starlette, met: list[Met], number: int, notes: list[str], left: list[dict[str, str]]
) -> Iterator[dict[str, Any]]:
    """The folder of a mount, or a note if nginx must not or cannot serve it."""
    one = met[number]
    files = base_of(one.route) if isinstance(one.route, Mount) else None
    if not isinstance(files, StaticFiles):
        return
    origin, url = f"StaticFiles of the app at {one.path or '/'}", f"{one.path}/"
    if problem := _why_not(one.path, files):
        notes.append(f"{origin}: left to the app: {problem}")
        return
    folder = {"url": url, "folder": str(Path(str(files.directory)).absolute()), "origin": origin}
    if why := _own_way(one.route, files) or _before(met[:number], url) or _unasked(app, one):
        left.append(folder | {"why": why})
    elif Path(folder["folder"]).is_dir():
        is_open = files is one.route.app and one.within != "app" and not has_code(app)
        yield folder | {"is_guarded": not is_open}
    else:
        notes.append(f"{origin}: its folder does not exist: {files.directory}")


def _why_not(path: str, files: StaticFiles) -> str:
    if "{" in path:
        return "its URL is a pattern"
    if not path:
        return "its URL is the whole site (/), and the app's other routes come first"
    is_one = [str(one) for one in files.all_directories] == [str(files.directory)]
    return "" if is_one and not files.packages else "its files are those of packages, or of several folders"


def _own_way(mount: Mount, files: StaticFiles) -> str:
    """Why its answers are not those of nginx, as a clause."""
    names = ("__call__", "get_path", "get_response", "lookup_path", "file_response", "is_not_modified")
    is_own = not all(is_theirs(getattr(StaticFiles, name)) for name in names)
    if is_own or type(files) is not StaticFiles or any(callable(value) for value in vars(files).values()):
        return f"its class {type(files).__qualname__} is not Starlette's own and may decide who sees a file"
    if not matches_as_usual(mount):
        return f"its mount, of the class {type(mount).__qualname__}, is not Starlette's own"
    if files.follow_symlink:
        return "it follows symbolic links (follow_symlink=True)"
    return "it answers a folder with index.html (html=True)" if files.html else ""


def _before(earlier: list[Met], url: str) -> str:
    """What may answer its paths. The app's own routes within the folder are not meant: the plan puts them before it."""
    for one in earlier:
        if isinstance(one.route, WebSocketRoute):
            continue
        if not isinstance(one.route, Mount | Route):
            return f"a route of the class {type(one.route).__qualname__} comes before it"
        if _is_own(one) and head(one.pattern) != url and head(one.pattern).startswith(url):
            continue
        if not one.pattern or may_meet(one.pattern, escape(url) + ANYTHING):
            what = "app mounted at" if isinstance(one.route, Mount) else "route"
            return f"the {what} {one.path or '/'} comes before it"
    return ""


def _unasked(app: Starlette, one: Met) -> str:
    """Why a test request would prove nothing, as a clause."""
    is_own = (
        bool(own_middleware(app))
        or not is_usual(app)
        or one.within == "app"
        or base_of(one.route) is not one.route.app
    )
    return (
        "code of the app runs before it, and may wait for what its lifespan prepares"
        if is_own and prepares(app)
        else ""
    )
