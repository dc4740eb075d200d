"""The banner that describes what was started."""

from __future__ import annotations

import time
from itertools import islice

from portico import __version__
from portico.app_servers.kind import Feature
from portico.cli.output import bad, faint, good, strong, warned
from portico.plan.model import Plan
from portico.plan.notes.reachable import on_all
from portico.plan.web.files.statics import served
from portico.project.gathered import Gathered
from portico.run.gateway.programs import program_of
from portico.values import Duration, Size, counted

_MOST_LOOKED_AT = 1000
_KEPT = "the gateway's cache has answers of an earlier run; if the code has changed, delete them: portico purge '/*'"


def banner(gathered: Gathered, took_seconds: float) -> list[str]:
    """The URL, the path of a request, sizes and times, files, notes."""
    rows = [("serving", _where(gathered.plan)), *_rows(gathered)]
    lines = [f"  {faint(f'{name:>8s}')}  {text}" for name, text in rows]
    lines += [f"  {warned('    note')}  {note}" for note in gathered.plan.notes]
    if _has_kept(gathered.plan, time.time() - took_seconds):
        lines.append(f"  {warned('    note')}  {_KEPT}")
    lines += [f"  {bad('  DANGER')}  {bad(alarm)}" for alarm in gathered.plan.alarms]
    return [
        "",
        *lines,
        "",
        f"  {good('ready')} in {took_seconds:.2f} s with Portico {__version__}; Ctrl-C stops it",
        "",
    ]


def _where(plan: Plan) -> str:
    """The URLs that work on this machine, and whether other machines can reach its other addresses."""
    if not plan.has_gateway:
        return strong(plan.socket)
    everywhere = on_all([*map(str, (*plan.listen, *(plan.tls.listen if plan.tls else ())))])
    return f"{strong('  '.join(plan.urls))}{faint(f'  {everywhere}') if everywhere else ''}"


def _has_kept(plan: Plan, started: float) -> bool:
    """Whether the gateway has cached an answer from before `started` (Unix time); checks only some of very many."""
    cache = program_of(plan).cache
    files = islice(cache.files(plan.cache, 0.0), _MOST_LOOKED_AT) if plan.cache else ()
    return any(each.began < started for each in map(cache.read, files) if each)


def _rows(gathered: Gathered) -> list[tuple[str, str]]:
    site, plan = gathered.site, gathered.plan
    program, versions = plan.gateway.name, plan.versions
    framework = (
        f"  ({site.facts.kind} {site.facts.version})" if site.facts.version else f"  ({site.facts.kind})"
    )
    folders = [f"{site.prefix}{folder.url} from {folder.folder}" for folder in served(site, gathered.place)]
    times = f"a request may take {Duration(plan.ladder.read_seconds)}; draining {Duration(plan.ladder.drain_seconds)}"
    return [
        *([("app", f"{plan.app}{framework}")] if plan.has_app else []),
        ("path", f"client -> {_program(plan)} -> {_answers(plan)}"),
        *(
            [(program, f"{versions[program]} was taken: {why}")]
            if plan.has_gateway and (why := gathered.place.gateway_why)
            else []
        ),
        *(("static", folder) for folder in folders if plan.has_gateway),
        *_watched_at(plan),
        ("times", times),
        ("uploads", f"up to {Size(plan.max_upload)}"),
        ("files", f"{plan.runtime}/conf  (portico explain says why each line is there)"),
        ("logs", plan.state),
    ]


def _program(plan: Plan) -> str:
    """What talks to clients."""
    if not plan.has_gateway:
        return "a gateway elsewhere"
    return f"{plan.gateway.name} {plan.versions[plan.gateway.name]}"


def _watched_at(plan: Plan) -> list[tuple[str, str]]:
    """The addresses for observers, and where to find their password."""
    endpoints = (("live", plan.dashboard, ""), ("metrics", plan.metrics, "metrics"))
    return [
        (name, f"{endpoint.url}{path}  (password: the first line of {endpoint.password_file})")
        for name, endpoint, path in endpoints
        if endpoint
    ]


def _threads(plan: Plan) -> str:
    if plan.most_threads > plan.threads:
        return f"{plan.threads} to {plan.most_threads} threads"
    return counted(plan.threads, "thread")


def _answers(plan: Plan) -> str:
    """What answers requests: the app server, servers elsewhere, or both."""
    kind = plan.app_server
    server = f"{kind.title} {plan.versions.get(kind.name, '')}"
    threads = f" x {_threads(plan)}" if Feature.WSGI in kind.features else ""
    app = f"{server}, {counted(plan.workers, 'worker')}{threads}"
    if plan.upstream is None:
        return app if plan.has_app else "the rules of [[route]]"
    names = ", ".join(item.name for item in plan.upstream.servers)
    return f"{names} (app: {app})" if plan.has_app else names
