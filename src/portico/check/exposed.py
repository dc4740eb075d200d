"""What the app has wide open: it was imported anyway, so it is asked, and not only its source is read."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from portico.check.model import Finding, fault, ok, warning
from portico.errors import PorticoError
from portico.plan.notes.app_risks import ONE_WORKER
from portico.plan.notes.reachable import is_reachable
from portico.site.discover import start_discovery
from portico.site.facts import AppFacts, Risk, Secret
from portico.site.model import Site
from portico.values import AppRef

_MAKE = 'make one: python -c "import secrets; print(secrets.token_hex(32))"; keep it outside of the code'
_WEAK = {
    "known": "is one that everybody knows from tutorials",
    "short": "is short enough to be tried",
    "guessable": "is made of words or few characters, and can be guessed",
}


def exposed_findings(site: Site, workers: int, who: Mapping[str, Any] | None = None) -> Iterator[Finding]:
    """The app's settings, its keys, and what it runs or keeps in each of so many workers.

    `who` imports it, as in `start_discovery`.
    """
    yield from _of_processes(site, workers)
    for risk in site.facts.risks:
        if risk.kind == "memory" and workers == 1:
            continue
        yield from _of_risk(site, risk)
    yield from _of_secrets(site, who)


def _of_processes(site: Site, workers: int) -> Iterator[Finding]:
    why = site.facts.one_process
    if why and workers > 1:
        yield warning("workers", f"{workers} workers: {why}", ONE_WORKER)
    elif why:
        yield ok("workers", f"one worker, with threads: {why}")


def _of_risk(site: Site, risk: Risk) -> Iterator[Finding]:
    if risk.kind == "cookie" and not site.has_https:
        return
    if risk.kind == "hosts" and site.options.domains:
        return  # nginx closes every other
    is_fault = risk.kind == "debugger" or (risk.kind == "debug" and is_reachable(site))
    make = fault if is_fault else warning
    yield make(_SUBJECTS.get(risk.kind, "app"), risk.what, risk.hint)


_SUBJECTS = {
    "debugger": "debug",
    "debug": "debug",
    "testing": "debug",
    "scheduler": "jobs",
    "thread": "jobs",
    "memory": "memory",
}


def _of_secrets(site: Site, who: Mapping[str, Any] | None) -> Iterator[Finding]:
    """The app is imported twice, in two processes: a key that differs is another in each worker."""
    try:
        first, second = _two_looks(site, who)
    except PorticoError as error:
        what = f"two processes cannot import it at the same time: {error.problems[0].what}"
        yield warning("app", what, "the workers will do so")
        return
    for one, other in zip(first.secrets, second.secrets, strict=False):
        yield from _of_secret(site, one, is_same=one.digest == other.digest)


def _two_looks(site: Site, who: Mapping[str, Any] | None) -> tuple[AppFacts, AppFacts]:
    """Raises PorticoError."""
    reference, salt = AppRef.parse(site.facts.app), secrets.token_hex(16)
    looks = [start_discovery(reference, Path(site.facts.directory), who=who, salt=salt) for _ in range(2)]
    try:
        first, second = (look.facts() for look in looks)
        return first, second
    finally:
        for look in looks:
            look.close()


def _of_secret(site: Site, key: Secret, *, is_same: bool) -> Iterator[Finding]:
    if not is_same:
        what = f"{key.name} is random: every worker and every restart has another, and logins are lost"
        yield warning(key.name, what, "read it from the environment or a file: the same for all workers")
        return
    if key.strength != "good":
        make = fault if key.strength == "known" and is_reachable(site) else warning
        yield make(key.name, f"{key.name} {_WEAK[key.strength]}: anybody can forge a session", _MAKE)
    if key.where:
        what = f"{key.name} is in {key.where}, which git tracks: everybody with the code can forge a session"
        yield warning(key.where, what, _MAKE)
