"""nginx.conf from its top: the process, the events, and everything below."""

from __future__ import annotations

from portico.place.model import Place
from portico.plan import decisions
from portico.plan.files import File
from portico.plan.gateway.nginx.files.compression import modules
from portico.plan.gateway.nginx.http import http
from portico.plan.gateway.nginx.syntax import Directive, block, directive, render, time
from portico.plan.gateway.nginx.waf import waf_modules
from portico.plan.paths import Paths
from portico.plan.web.entry.transfer import OLD_SECONDS
from portico.plan.web.model import Web
from portico.plan.web.processes import Processes


def nginx_conf(web: Web) -> File:
    """The whole nginx.conf."""
    return File("nginx.conf", tuple(render(tree(web))), mode=0o600)


def tree(web: Web) -> list[Directive]:
    """The configuration as a tree of directives with reasons."""
    return [
        *process(web.processes, web.place, inspects=web.waf is not None),
        events(web.processes),
        http(web),
    ]


def process(of: Processes, place: Place, *, inspects: bool) -> list[Directive]:
    """nginx's own processes; `inspects` if a site has the firewall."""
    paths = Paths.of(place)
    made = [
        *modules(place),
        *waf_modules(place, is_used=inspects),
        directive("daemon", "off", why="Portico watches nginx as its child"),
    ]
    if of.user:
        made.append(
            directive(
                "user",
                of.user,
                of.group,
                why="nginx's workers, which serve untrusted clients, are not root",
                cause=of.user_cause,
            )
        )
    return [
        *made,
        directive("pcre_jit", "on", why="patterns become machine code; static files are matched against some"),
        directive(
            "worker_processes", of.workers,
            why="one a CPU that this machine really gives", cause=of.workers_cause,
        ),
        directive(
            "worker_rlimit_nofile", of.files,
            why="as many open files as the system allows: every connection is one", cause="file limit",
        ),
        directive(
            "worker_shutdown_timeout", time(OLD_SECONDS),
            why="after a reload an old worker finishes the downloads and WebSockets that it has; Portico bounds "
            "the number of old workers, and ends all at a stop",
            cause=decisions.TRANSFERS,
        ),
        directive("pid", f"{paths.runtime}/nginx.pid", why="private, so that two sites never meet"),
        directive("error_log", paths.error_log, "error", why="nginx's complaints; warnings name every larger upload"),
    ]  # fmt: skip


def events(of: Processes) -> Directive:
    """The number of connections of a worker."""
    return block(
        "events", why="how nginx waits for the network",
        of=[
            directive(
                "worker_connections", of.connections,
                why="clients a worker may hold at once; a request that the app answers counts twice, its own "
                "connection and the app's. As many as the files and a quarter of the memory allow",
                cause=of.files_cause,
            )
        ],
    )  # fmt: skip
