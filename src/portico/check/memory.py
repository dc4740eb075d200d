"""Does max_memory suffice for the app's start?"""

from __future__ import annotations

from collections.abc import Iterator

from portico.app_servers.kind import Feature
from portico.check.model import Finding, Setting, warning
from portico.link.gunicorn.watch import allowed_memory
from portico.place.model import Place
from portico.plan.app_servers.workers import capacity
from portico.plan.model import Plan
from portico.site.model import Site
from portico.watch.lines import short_size


def memory_findings(site: Site, place: Place, planned: Plan, fresh: int) -> Iterator[Finding]:
    """`fresh`: the memory of a process that has just loaded the app. Workers use the same function."""
    known = capacity(site, place)
    instead = int(allowed_memory(known.max_memory, fresh))
    if instead == known.max_memory:
        return
    what = (
        f"{short_size(known.max_memory)} ({known.max_memory_why}) is too small: a process has {short_size(fresh)}"
        f" when it has just loaded the app; {_outcome(planned, instead)}"
    )
    value = f'"{-(-instead >> 20)}MiB"'
    is_said = "workers.max_memory" in site.causes
    fixes = () if is_said else (Setting(("workers", "max_memory"), value),)
    hint = f'write more: [workers] max_memory = "{-(-instead >> 20)}MiB"'
    yield warning(site.cause("workers.max_memory"), what, hint, "worker-memory", fixes)


def _outcome(planned: Plan, instead: int) -> str:
    if Feature.IN_TURN not in planned.app_server.features:
        return f"{planned.app_server.title} replaces each worker after a request or two"
    return f"workers are replaced at {short_size(instead)} instead"
