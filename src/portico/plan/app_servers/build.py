"""The process that runs the app, and its configuration, for each kind of app server."""

from __future__ import annotations

import shlex

from msgspec import structs

from portico.app_servers.kind import AppServer, Feature
from portico.app_servers.kinds import KINDS
from portico.app_servers.start import OLDEST_WEBSOCKETS, WEBSOCKETS
from portico.app_servers.uwsgi import UWSGI
from portico.errors import Problem
from portico.place.model import Place
from portico.plan.app_servers.chosen import app_server, has_queue
from portico.plan.app_servers.kinds import WRITERS
from portico.plan.app_servers.uwsgi import is_writable
from portico.plan.app_servers.workers import Capacity
from portico.plan.files import File, Process
from portico.plan.web.app.downloads import Downloads
from portico.site.model import Site


def server_process(
    site: Site, place: Place, size: Capacity, downloads: Downloads
) -> tuple[Process, tuple[File, ...]]:
    """The process and the files that it reads."""
    if not site.has_app:
        return Process(
            "app", (), place.runtime, why="no app runs here: servers elsewhere or rules answer"
        ), ()
    process, file = WRITERS[app_server(site).name]
    return process(site, place, size, downloads), (file(site, place, size),)


def impossible(site: Site, place: Place) -> list[Problem]:
    """Problems: an app that its server cannot run, or a server that is not installed."""
    if not site.has_app:
        return _nothing_released(site)
    kind, where = app_server(site), site.cause("workers.server")
    if site.is_asgi and Feature.ASGI not in kind.features:
        able = next(other.name for other in KINDS if Feature.ASGI in other.features)
        return [Problem(where, f"{kind.title} cannot run an ASGI app", f'use server = "{able}"')]
    if site.development and Feature.DEVELOPMENT not in kind.features:
        return [_undeveloped(kind, where)]
    if kind.name not in place.app_servers:
        return [_missing(kind, place, where)]
    if kind is UWSGI and not is_writable(site.facts.app):
        what = f"{site.facts.app!r}: {kind.title}'s file cannot have this name of the app"
        return [Problem(site.cause("app"), what, "expected module:attribute, like shop:app")]
    if site.options.workers.queue and not has_queue(site):
        return [_unbounded(site, kind)]
    return _old_websockets(site, place)


def _undeveloped(kind: AppServer, where: str) -> Problem:
    able = next(other.name for other in KINDS if Feature.DEVELOPMENT in other.features)
    how = " over HTTP" if kind.protocol == "http" else ""
    hint = f'expected server = "{able}" behind nginx, without servers elsewhere that speak HTTP'
    return Problem(where, f"{kind.title}{how} cannot run an app for --dev", hint)


def _missing(kind: AppServer, place: Place, where: str) -> Problem:
    if not place.app_python:
        return Problem(where, f"{kind.title} is not installed", f"pip install {kind.package}")
    what = f"{kind.title} is not installed in the app's environment"
    return Problem(where, what, f"{shlex.quote(place.app_python)} -m pip install {kind.package}")


def _old_websockets(site: Site, place: Place) -> list[Problem]:
    """Of the app's environment: its version comes first in the app's processes."""
    version = place.app_packages.get(WEBSOCKETS, "")
    if not site.is_asgi or not version or _major(version) >= OLDEST_WEBSOCKETS:
        return []
    what = f"websockets {version} in the app's environment is older than {OLDEST_WEBSOCKETS}"
    hint = f'{shlex.quote(place.app_python)} -m pip install "websockets>={OLDEST_WEBSOCKETS}"'
    return [Problem(place.app_python_why, what, hint)]


def _major(version: str) -> int:
    text = version.partition(".")[0]
    return int(text) if text.isdecimal() else OLDEST_WEBSOCKETS


def _nothing_released(site: Site) -> list[Problem]:
    found = []
    for option, command in structs.asdict(site.options.release).items():
        if command:
            what = "no app runs here, so nothing is released"
            found.append(Problem(site.cause(f"release.{option}"), what, "remove it"))
    if site.options.processes:
        what = "no app runs here, so no process has its environment or its release"
        found.append(Problem(site.cause("processes"), what, "remove it"))
    return found


def _unbounded(site: Site, kind: AppServer) -> Problem:
    where = site.cause("workers.queue")
    if site.is_asgi and Feature.QUEUE in kind.features:
        what = "an ASGI worker takes each request at once, so that none waits in a queue"
        hint = "say how many it runs at a time, like uvicorn's --limit-concurrency: threads = 100"
        return Problem(where, what, hint)
    if site.is_asgi:
        what = "over HTTP, an ASGI worker takes each request at once, so that none waits in a queue"
        return Problem(where, what, "remove workers.queue, or serve the app behind nginx")
    what = f"{kind.title} does not look how long its requests have waited"
    return Problem(where, what, 'remove workers.queue, or use server = "gunicorn"')
