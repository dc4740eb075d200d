"""Gunicorn with Portico's worker, on a socket that it inherits."""

from __future__ import annotations

import json

from portico.app_servers.kind import Feature
from portico.app_servers.start import starts
from portico.place.model import Place
from portico.plan import decisions, tracing
from portico.plan import downloads as names
from portico.plan.app_servers.chosen import app_server, at_once, has_queue
from portico.plan.app_servers.settings import Setting, as_python
from portico.plan.app_servers.workers import Capacity, jitter
from portico.plan.development import VARIABLES, ladder
from portico.plan.files import CONF, File, Process
from portico.plan.paths import Paths, control, leaving, pause, purge, slow, trace, workers
from portico.plan.subjects import Ladder
from portico.plan.web.app import server_timing
from portico.plan.web.app.downloads import Downloads
from portico.plan.web.entry.listeners import backlog
from portico.plan.web.sizes import lasting
from portico.site.model import Site

SOCKET_FD = 3
"""The descriptor of the socket that Portico bound for the server."""
FRAMEWORK = {"FLASK_RUN_FROM_CLI": "true"}
"""Makes Flask ignore an app.run() outside `if __name__ == "__main__"`, as the flask command does."""
_DEVELOPMENT = "portico.link.gunicorn.development"
"""Starts Gunicorn, and has the workers. No variable turns it on: an app's environment has no say in it."""
_BOOT = 4
"""Factor of start_timeout for a worker to load the app. At a start, Portico itself gives up earlier."""
_QUEUE_SHARE = 6
"""Share of request_timeout: people wait for some seconds. It shrinks while clients leave sooner, see
link.wsgi.backlog.
"""
_DOCS = "https://docs.gunicorn.org/en/stable/settings.html#"


def gunicorn_process(site: Site, place: Place, capacity: Capacity, downloads: Downloads) -> Process:
    """The command that runs a release of the app."""
    return Process(
        name="gunicorn",
        argv=(
            *_starts(site, place),
            "--config",
            f"{CONF}/gunicorn.conf.py",
            site.facts.app,
        ),
        cwd=site.facts.directory,
        env={
            "PORTICO_DEADLINE": f"{Ladder.of(_request_seconds(site)).deadline_seconds:g}",
            "PORTICO_BOOT": f"{_BOOT * site.options.start_timeout:g}",
            "PORTICO_MAX_MEMORY": str(int(capacity.max_memory)),
            "PORTICO_TRACE": trace(place.runtime),
            "PORTICO_SLOW": slow(place.runtime),
            "PORTICO_WORKERS": workers(place.runtime),
            "PORTICO_LEAVING": leaving(place.runtime),
            "PORTICO_TRACE_MASK": ",".join(site.options.trace.mask),
            "PORTICO_APP_LOG": Paths.of(place).app_log,
            "PORTICO_BELIEVED": ",".join(
                sorted({*site.believed, *map(str.lower, site.options.client_headers)})
            ),
            **_pause(site, place),
            **_queue(site, place),
            **_threads(capacity),
            **own_variables(place),
            **_downloads(place, downloads),
            **tracing.told_to_worker(site),
            **server_timing.told_to_worker(site),
            **(VARIABLES if site.development else {}),
        },
        user=place.app_user,
        secrets=site.environment.values,
        why="runs the app: Gunicorn forks and watches the workers, Portico's worker speaks to "
        f"{place.gateway.program}{environment_of(place)}",
    )


def _request_seconds(site: Site) -> float:
    """How long a request may take that says nothing else: by HTTP none does, so it is the longest time of any route."""
    is_told = app_server(site).protocol == "uwsgi"
    return float(site.options.request_timeout if is_told else site.longest_timeout)


def _starts(site: Site, place: Place) -> tuple[str, ...]:
    module = _DEVELOPMENT if site.development else "portico.link.gunicorn.arbiter"
    if not place.app_python:
        return place.python, "-m", module
    return starts(place.app_python, place.package_path, module)


def environment_of(place: Place) -> str:
    """A clause that says which Python runs the app, if it is not Portico's."""
    if not place.app_python:
        return ""
    return f"; the app has its own environment, of {place.app_python} ({place.app_python_why})"


def own_variables(place: Place) -> dict[str, str]:
    """The variables of every app, on any app server: that it is served, where its Portico listens, which user runs
    it.

    PYTHONUNBUFFERED: output of the app's Python processes is written at once, so that none is lost if they are
    killed.
    """
    listens = purge if place.app_user else control
    return {**FRAMEWORK, "PYTHONUNBUFFERED": "1", "PORTICO_CONTROL": listens(place.runtime), **place.app_env}


def _pause(site: Site, place: Place) -> dict[str, str]:
    """Where a worker looks whether the site is paused."""
    return {"PORTICO_PAUSE": pause(place.runtime)} if Feature.PAUSE in app_server(site).features else {}


def _queue(site: Site, place: Place) -> dict[str, str]:
    """How many seconds requests may wait in an overload, and how many may wait otherwise; how many run at a time."""
    most = at_once(site)
    made = {"PORTICO_AT_ONCE": str(most)} if most else {}
    if not has_queue(site):
        return made
    queue = site.options.workers.queue
    seconds = site.options.request_timeout / _QUEUE_SHARE if queue is None else queue
    return {**made, "PORTICO_QUEUE": f"{seconds:g} {backlog(place)}"}


def _threads(capacity: Capacity) -> dict[str, str]:
    """How many threads a worker may have while requests wait."""
    most = capacity.most_threads
    return {"PORTICO_THREADS": str(most)} if most > capacity.threads else {}


def _downloads(place: Place, downloads: Downloads) -> dict[str, str]:
    """What the worker must know to hand files to nginx, or to send those that the app names."""
    if not downloads.roots:
        return {}
    folders = json.dumps([root.folder for root in downloads.roots], ensure_ascii=False)
    if not downloads.by_gateway:
        return {names.ROOTS: folders, names.SENDER: names.WORKER}
    reader = {names.READER: place.gateway_user} if place.gateway_user else {}
    return {names.ROOTS: folders, **reader}


def gunicorn_conf(site: Site, place: Place, capacity: Capacity) -> File:
    """gunicorn.conf.py."""
    return File("gunicorn.conf.py", as_python(_settings(site, place, capacity)))


def _settings(site: Site, place: Place, capacity: Capacity) -> list[Setting]:
    times = ladder(site)
    timeout, gateway = site.cause("request_timeout"), place.gateway.program
    made = [
        Setting("bind", f"fd://{SOCKET_FD}", "Portico binds the socket and hands it over, so that requests "
                "wait in its queue even while Gunicorn itself is replaced", decisions.RENAME, _DOCS + "bind"),
        *_worker(site, gateway),
        Setting("workers", capacity.workers, capacity.workers_why, site.cause("workers.count"), _DOCS + "workers"),
        Setting("threads", capacity.threads, capacity.threads_why, site.cause("workers.threads"), _DOCS + "threads"),
        Setting("worker_connections", lasting(place, capacity.workers), "WebSockets, event streams and other "
                "requests that last, each with a thread of its own: as many as a worker of "
                f"{gateway} can hold and the "
                "memory allows", "",
                _DOCS + "worker-connections"),
        Setting("timeout", int(times.heartbeat_seconds), "a worker whose main thread is silent so long is replaced; "
                "a heartbeat, not a limit for requests", timeout, _DOCS + "timeout"),
        Setting("graceful_timeout", int(times.drain_seconds), "a stopping worker finishes its requests",
                timeout, _DOCS + "graceful-timeout"),
        Setting("control_socket_disable", True, "Gunicorn's own control socket has one path a user: two sites would "
                "clash", "", _DOCS + "control-socket-disable"),
        Setting("proc_name", f"portico:{site.name}", "tells the sites apart in ps", site.cause("name"),
                _DOCS + "proc-name"),
        Setting("loglevel", "warning", f"says what is wrong and nothing else; requests are in {gateway}'s log", "",
                _DOCS + "loglevel"),
    ]  # fmt: skip
    if requests := site.options.workers.max_requests:
        cause = site.cause("workers.max_requests")
        made += [
            Setting("max_requests", requests, "a worker that has served so many is replaced", cause,
                    _DOCS + "max-requests"),
            Setting("max_requests_jitter", jitter(requests), "and not all at the same time", cause,
                    _DOCS + "max-requests-jitter"),
        ]  # fmt: skip
    if place.shared_memory:
        made.append(
            Setting("worker_tmp_dir", place.shared_memory, "heartbeats in memory: a slow disk cannot look like a "
                    "stuck worker", "", _DOCS + "worker-tmp-dir")
        )  # fmt: skip
    return made


def _worker(site: Site, gateway: str) -> list[Setting]:
    kind = app_server(site)
    if kind.protocol == "uwsgi":
        why = f"reads exactly what {gateway} sends: no HTTP is parsed a second time"
        made = [Setting("worker_class", _worker_class(site), why, decisions.WORKER, _DOCS + "worker-class")]
        return [*made, *_root_path(site)] if Feature.ASGI in kind.features else made
    made = [
        Setting("worker_class", kind.worker, f"Gunicorn's own asgi worker, told by {gateway} who the client is",
                "the app is ASGI", _DOCS + "worker-class"),
    ]  # fmt: skip
    made += [
        Setting(name, value, f"{gateway} has bounded the head already; Gunicorn's own limit is below {gateway}'s", "",
                _DOCS + name.replace("_", "-"))
        for name, value in (("limit_request_line", 0), ("limit_request_fields", 2000), ("limit_request_field_size", 0))
    ]  # fmt: skip
    return [*made, *_root_path(site)]


def _worker_class(site: Site) -> str:
    kind = app_server(site)
    if site.development is None:
        return kind.worker
    return f"{_DEVELOPMENT}.{'AsgiWorker' if Feature.ASGI in kind.features else 'Worker'}"


def _root_path(site: Site) -> list[Setting]:
    if not site.prefix:
        return []
    why, cause = "the prefix, in the ASGI scope", site.cause("mount")
    return [Setting("root_path", site.prefix, why, cause, _DOCS + "root-path")]
