"""uWSGI on the same socket and protocol, without its unsafe defaults. Its upstream is in maintenance mode; an
alternative.
"""

from __future__ import annotations

import re

from portico.app_servers.start import starts
from portico.app_servers.uwsgi import UWSGI
from portico.place.model import Place
from portico.plan import decisions
from portico.plan.app_servers.gunicorn import FRAMEWORK, SOCKET_FD, environment_of, own_variables
from portico.plan.app_servers.settings import Setting
from portico.plan.app_servers.workers import Capacity, jitter
from portico.plan.files import CONF, File, Line, Process
from portico.plan.subjects import Ladder
from portico.plan.web.app.downloads import Downloads
from portico.plan.web.entry.listeners import backlog
from portico.plan.web.literal import is_literal
from portico.site.model import Site

_DOCS = "https://uwsgi-docs.readthedocs.io/en/latest/Options.html#"
_HEADERS = 64 * 1024 - 1
"""The largest packet that the protocol allows: 16 bits of length."""
_REPLACED = re.compile(r"[$@]\(")
"""An environment variable, and what a file or a URL contains."""


def uwsgi_process(site: Site, place: Place, _capacity: Capacity, _downloads: Downloads) -> Process:
    """The command that runs a release of the app."""
    return Process(
        name=UWSGI.name,
        # The package has no __main__, and its script contains a path of the machine that installed it.
        argv=(*_starts(place), "--ini", f"{CONF}/uwsgi.ini"),
        cwd=site.facts.directory,
        env=own_variables(place),
        user=place.app_user,
        secrets=site.environment.values,
        why=f"runs the app: uWSGI forks and watches the workers and speaks {place.gateway.program}'s protocol itself"
        f"{environment_of(place)}",
    )


def _starts(place: Place) -> tuple[str, ...]:
    if not place.app_python:
        return place.python, "-c", "import sys, pyuwsgi; pyuwsgi.run(sys.argv[1:])"
    return starts(place.app_python, place.package_path, "portico.link.under_uwsgi.start")


def uwsgi_ini(site: Site, place: Place, capacity: Capacity) -> File:
    """uwsgi.ini."""
    return File(
        "uwsgi.ini", (Line("[uwsgi]", "uWSGI's section"), *map(_line, _settings(site, place, capacity)))
    )


def is_writable(text: str) -> bool:
    """Whether a value can be written: a line ends it, and `$(...)` and `@(...)` are replaced, however it is written."""
    return is_literal(text.replace("$", "")) and not _REPLACED.search(text) and text == text.strip()


def plain_ini(site: Site, place: Place, capacity: Capacity, socket: str) -> File:
    """uwsgi.ini for uWSGI without Portico, at that socket, with each reason as a comment."""
    ours = ("socket", "pyimport", "procname-prefix-spaced")
    owner = f"{place.app_user or place.user}:{place.gateway_group}"
    shared = [Setting("chown-socket", owner, "only the app and nginx use it")] if place.gateway_group else []
    if place.app_user:
        shared.append(Setting("uid", place.app_user, "the app is not root"))
    made = [
        Setting("socket", socket, "where nginx finds the app"),
        Setting("chmod-socket", "660", "nobody else may use the socket"),
        *shared,
        Setting("chdir", site.facts.directory, "where the app's code is"),
        Setting("pythonpath", site.facts.directory, "and where it imports from"),
        *(Setting("env", f"{name}={value}", "the app is served, not run by hand") for name, value in FRAMEWORK.items()),
        *(item for item in _settings(site, place, capacity) if item.name not in ours),
    ]  # fmt: skip
    lines = [Line("# The app server: uWSGI, as pip install pyuwsgi brings it."), Line("[uwsgi]")]
    for item in made:
        lines += [Line(f"# {' '.join(item.why.split())}"), Line(_line(item).text)]
    return File("uwsgi.ini", tuple(lines))


def _line(item: Setting) -> Line:
    """INI has no quoting; `%` begins a variable of uWSGI and is doubled."""
    value = str(item.value).lower() if isinstance(item.value, bool) else str(item.value).replace("%", "%%")
    return Line(f"{item.name} = {value}", item.why, item.source or _DOCS + item.name, item.cause)


def _settings(site: Site, place: Place, capacity: Capacity) -> list[Setting]:
    ladder = Ladder.of(site.longest_timeout)
    timeout, gateway = site.cause("request_timeout"), place.gateway.program
    return [
        Setting("strict", True, "an option that does not exist is an error"),
        Setting("master", True, "one process watches the workers"),
        Setting("socket", f"fd://{SOCKET_FD}", "the socket that Portico bound and hands over", decisions.RENAME),
        *_app(site),
        Setting("need-app", True, "without it uWSGI starts with no app and answers 500 for ever"),
        Setting("lazy-apps", True, "each worker imports the app itself: no connection is shared over a fork"),
        Setting("single-interpreter", True, "C extensions that know one interpreter work"),
        Setting("processes", capacity.workers, capacity.workers_why, site.cause("workers.count")),
        Setting("threads", capacity.threads, capacity.threads_why, site.cause("workers.threads")),
        Setting("pyimport", "portico.link.under_uwsgi.direct",
                "the app's output goes out directly once it is loaded; uWSGI's own is filtered"),
        Setting("enable-threads", True, "threads the app starts itself run; off by default"),
        *_recycling(site, capacity),
        Setting("listen", backlog(place), "connections that may wait; 100 overflow in a burst", "somaxconn"),
        Setting("buffer-size", _HEADERS, "room for the request's head; big cookies overflow the default of 4096"),
        Setting("harakiri", int(ladder.deadline_seconds), f"a request {gateway} has given up on ends its worker",
                timeout),
        Setting("harakiri-verbose", True, "and says which request it was"),
        Setting("hook-master-start", "unix_signal:15 gracefully_kill_them_all",
                "SIGTERM finishes what is in hand; uWSGI's own meaning of it is: start again"),
        Setting("worker-reload-mercy", int(ladder.drain_seconds), "how long a worker that leaves may take", timeout),
        Setting("reload-mercy", int(ladder.drain_seconds), "how long all of them may take", timeout),
        Setting("ignore-sigpipe", True, "a client that left is not worth a log line"),
        Setting("ignore-write-errors", True, "a client that left is not worth a log line"),
        Setting("disable-write-exception", True, "a client that left is not the app's fault"),
        Setting("disable-logging", True, f"requests are in {gateway}'s log"),
        Setting("auto-procname", True, "names the processes in ps"),
        Setting("procname-prefix-spaced", f"portico:{site.name}", "tells the sites apart in ps", site.cause("name")),
    ]  # fmt: skip


def _recycling(site: Site, capacity: Capacity) -> list[Setting]:
    made = [
        Setting("reload-on-rss", capacity.max_memory >> 20, f"MiB a worker may have: {capacity.max_memory_why}",
                site.cause("workers.max_memory")),
    ]  # fmt: skip
    made.append(
        Setting("min-worker-lifetime", 1, "both limits hold from the first second, not from the sixtieth")
    )
    if requests := site.options.workers.max_requests:
        cause = site.cause("workers.max_requests")
        made += [
            Setting("max-requests", requests, "a worker that has served so many is replaced", cause),
            Setting("max-requests-delta", jitter(requests), "and not all at the same time", cause),
        ]
    return made


def _app(site: Site) -> list[Setting]:
    if not site.prefix:
        return [Setting("module", site.facts.app, "the app", site.cause("app"))]
    return [
        Setting("mount", f"{site.prefix}={site.facts.app}", "the app, under its prefix", site.cause("mount")),
        Setting("manage-script-name", True, "takes the prefix off PATH_INFO", site.cause("mount")),
    ]
