"""Do the app's own sizes and times fit those around it: body limits, database pools, database timeouts?"""

from __future__ import annotations

from collections.abc import Iterator

from portico.app_servers.kind import Feature
from portico.check.model import Finding, warning
from portico.place.model import Place
from portico.plan.app_servers.chosen import app_server
from portico.plan.app_servers.workers import Capacity, capacity
from portico.site.facts import AppSettings, Pool
from portico.site.model import Site
from portico.values import Duration, Size


def fitting_findings(site: Site, place: Place, said: AppSettings) -> Iterator[Finding]:
    """What times out or is refused in the wrong place."""
    yield from _bodies(site, said)
    yield from _pools(site, place, said)
    yield from _per_thread(capacity(site, place), said)
    yield from _waits(site, said)


def _bodies(site: Site, said: AppSettings) -> Iterator[Finding]:
    of_app = site.facts.max_content_length
    own = {"max_upload": site.options.max_upload} | {
        f'[routes."{one.rule}"] max_upload': one.edge.max_upload for one in site.routed
    }
    for name, size in own.items():
        if size is None:
            continue
        if of_app is not None and (size == 0 or size > of_app):
            what = (
                f"{_shown(size)}, and the app's MAX_CONTENT_LENGTH is {_shown(of_app)}: "
                "what is larger is read in whole, and then refused"
            )
            hint = "raise MAX_CONTENT_LENGTH, or leave max_upload out: it follows the app's"
            yield warning(name, what, hint, "body-limits")
        elif of_app is not None and size < of_app and name == "max_upload":
            taken = f"{_shown(of_app)} (MAX_CONTENT_LENGTH)"
            what = f"the gateway refuses above {_shown(size)}, and the app would take {taken}"
            yield warning(name, what, "leave max_upload out: it follows the app's", "body-limits")
        if said.body and (size == 0 or size > said.body):
            what = (
                f"{_shown(size)}, and DATA_UPLOAD_MAX_MEMORY_SIZE is {_shown(said.body)}: Django refuses what is "
                "larger with 400, unless it is a file of a form"
            )
            yield warning(
                name, what, "raise DATA_UPLOAD_MAX_MEMORY_SIZE if such bodies are no files", "body-limits"
            )


def _shown(size: int) -> str:
    return "no limit" if size == 0 else str(Size(size))


def _pools(site: Site, place: Place, said: AppSettings) -> Iterator[Finding]:
    if Feature.WSGI not in app_server(site).features:
        return  # tasks of one thread share it
    size = capacity(site, place)
    threads = size.threads
    for pool in said.pools:
        if not pool.most:
            continue
        if pool.most < threads:
            what = (
                f"{pool.name} has {pool.most} connections for the {threads} threads of a worker: the others "
                f"wait for up to {Duration(pool.seconds)}, then fail"
            )
            hint = f"let it have {threads} (pool_size + max_overflow), or run fewer: [workers] threads = {pool.most}"
            yield warning("database", what, hint, "pool")
        elif pool.most < size.most_threads:
            yield _bound(pool, size.most_threads)
        if pool.seconds >= site.options.request_timeout and pool.most < threads:
            what = (
                f"{pool.name} lets a request wait {Duration(pool.seconds)} for a connection, and request_timeout is "
                f"{site.options.request_timeout}: the gateway answers 504 while the app still waits"
            )
            yield warning("database", what, "let it wait less, 5 s for example", "timeouts")


def _bound(pool: Pool, most: int) -> Finding:
    """More threads than connections: no fault, but somebody who waits for the others should know."""
    what = (
        f"{pool.name} has {pool.most} connections, and a worker gets up to {most} threads while requests wait: "
        f"{most - pool.most} of them can only wait for a connection, up to {Duration(pool.seconds)}, then fail"
    )
    hint = (
        f"let it have {most} (pool_size + max_overflow), or keep the number: [workers] threads = {pool.most}"
    )
    return warning("database", what, hint, "pool-bound")


def _per_thread(size: Capacity, said: AppSettings) -> Iterator[Finding]:
    if not said.per_thread or size.most_threads <= size.threads:
        return
    what = (
        f"{', '.join(said.per_thread)} (threading.local): each thread has a client or connection of its own there, "
        f"and a worker gets up to {size.most_threads} threads while requests wait: {size.workers * size.most_threads} "
        "in all"
    )
    hint = f"allow so many at the other end, or keep the number: [workers] threads = {size.threads}"
    yield warning("threads", what, hint, "per-thread")


def _waits(site: Site, said: AppSettings) -> Iterator[Finding]:
    for wait in said.waits:
        if wait.seconds >= site.longest_timeout:
            what = (
                f"{wait.name} is {Duration(wait.seconds)}, and request_timeout {site.longest_timeout}: the gateway "
                "answers 504 while the app still waits, and its thread stays taken"
            )
            hint = f'a smaller one, or request_timeout = "{Duration(wait.seconds * 2)}"'
            yield warning("database", what, hint, "timeouts")
