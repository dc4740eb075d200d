"""The process that runs the app, and its configuration, for each kind of app server."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan.appserver.gunicorn import gunicorn_conf, gunicorn_process
from portico.plan.appserver.kind import GUNICORN, UWSGI, app_server
from portico.plan.appserver.uwsgi import uwsgi_ini, uwsgi_process
from portico.plan.appserver.workers import Capacity
from portico.plan.model import File, Process
from portico.site.model import Site

_WRITERS = {
    GUNICORN.name: (gunicorn_process, gunicorn_conf),
    UWSGI.name: (uwsgi_process, uwsgi_ini),
}


def server_process(site: Site, place: Place, size: Capacity) -> tuple[Process, tuple[File, ...]]:
    """What is started, and the files that it reads. Raises UsageError for an app that the server cannot run."""
    if not site.has_app:
        return Process("app", (), place.runtime, why="no app runs here: every server is elsewhere"), ()
    process, file = _WRITERS[app_server(site).name]
    return process(site, place, size), (file(site, place, size),)
