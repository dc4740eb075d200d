"""Risks in the app, judged by who can reach the site. Pure."""

from __future__ import annotations

from portico.app_servers.kind import Feature
from portico.errors import Problem
from portico.plan.app_servers.workers import capacity
from portico.plan.notes.reachable import is_reachable
from portico.plan.web.model import Web
from portico.site.model import Site

ONE_WORKER = "--workers 1 runs one, whose threads share the memory"
_MOST_NAMED = 3


def impossible(site: Site) -> list[Problem]:
    """A debugger on a public site: anyone who finds an error page can run code, so the site does not start."""
    if not is_reachable(site):
        return []
    return [Problem(site.facts.app, one.what, one.hint) for one in site.facts.risks if one.kind == "debugger"]


def app_risks(web: Web) -> list[str]:
    """Risks that are severe enough for a warning at each start."""
    if web.site.development:
        return []
    return [f"{one.what}; {one.hint}" for one in web.site.facts.risks if one.kind in ("debugger", "debug")]


def threads(web: Web) -> list[str]:
    """`workers.threads` for an app server that does something else than it says."""
    site, kind = web.site, web.app_server
    if "workers.threads" not in site.causes or not site.has_app:
        return []
    if Feature.ASGI in kind.features:
        if Feature.QUEUE in kind.features:
            return []
        return [
            f"{site.cause('workers.threads')} does nothing: over HTTP, an ASGI worker takes each request at once"
        ]
    if site.options.workers.threads == "auto" and Feature.THREADS not in kind.features:
        count = capacity(site, web.place).threads
        return [
            f"{site.cause('workers.threads')}: {kind.title} has a fixed number of threads, {count} in each worker"
        ]
    return []


def processes(web: Web) -> list[str]:
    """What several workers would break, or why there is only one."""
    site, size = web.site, capacity(web.site, web.place)
    why = site.facts.one_process
    if why and site.options.workers.count == "auto":
        return [f"one worker, with threads: {why}"]
    if size.workers == 1:
        return []
    if why:
        return [f"{size.workers} workers, but one would be right: {why}; {ONE_WORKER}"]
    names = [one.name for one in site.facts.risks if one.kind == "memory"]
    if not names:
        return []
    more = (
        f" and {len(names) - _MOST_NAMED} more (portico check lists them)" if len(names) > _MOST_NAMED else ""
    )
    shown = ", ".join(names[:_MOST_NAMED])
    return [f"each of the {size.workers} workers has its own {shown}{more}; {ONE_WORKER}"]
