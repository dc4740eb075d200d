"""The app's risks: it was imported anyway, so it is asked, beside the reading of its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portico.check.model import Finding, fault, ok, warning
from portico.plan.notes.app_risks import ONE_WORKER
from portico.plan.notes.reachable import is_reachable
from portico.site.facts import AppFacts, Risk, Secret
from portico.site.model import Site

_MAKE = 'make one: python -c "import secrets; print(secrets.token_hex(32))"; keep it outside of the code'
_WEAK = {
    "known": "is known from tutorials",
    "short": "is short enough to be tried",
    "guessable": "is made of words or few characters, and can be guessed",
}


def exposed_findings(site: Site, workers: int, looks: Sequence[AppFacts]) -> Iterator[Finding]:
    """The app's settings, its keys, and what it runs or stores in each worker.

    `looks` are its answers to two processes: a key that differs is different in each worker.
    """
    yield from _of_processes(site, workers)
    for risk in site.facts.risks:
        if risk.kind == "memory" and workers == 1:
            continue
        yield from _of_risk(site, risk)
    for one, other in zip(*(look.secrets for look in looks), strict=False):
        yield from _of_secret(site, one, is_same=one.digest == other.digest)


def _of_processes(site: Site, workers: int) -> Iterator[Finding]:
    why = site.facts.one_process
    if why and workers > 1:
        yield warning("workers", f"{workers} workers: {why}", ONE_WORKER, "one-process")
    elif why:
        yield ok("workers", f"one worker, with threads: {why}", "one-process")


def _of_risk(site: Site, risk: Risk) -> Iterator[Finding]:
    if risk.kind == "hosts" and site.options.domains:
        return  # nginx closes every other one
    is_fault = risk.kind == "debugger" or (risk.kind == "debug" and is_reachable(site))
    make = fault if is_fault else warning
    subject, code = _SUBJECTS[risk.kind]
    yield make(subject, risk.what, risk.hint, code)


_SUBJECTS = {
    "debugger": ("debug", "debugger"),
    "debug": ("debug", "debugger"),
    "testing": ("debug", "testing"),
    "scheduler": ("jobs", "jobs"),
    "thread": ("jobs", "jobs"),
    "memory": ("memory", "app-memory"),
    "hosts": ("app", "app-hosts"),
    "unknown": ("app", "app-unknown"),
}
"""The subject and code of each kind."""


def _of_secret(site: Site, key: Secret, *, is_same: bool) -> Iterator[Finding]:
    if not is_same:
        what = f"{key.name} is random: every worker and every restart has another, and logins are lost"
        yield warning(
            key.name, what, "read it from the environment or a file: the same for all workers", "random-key"
        )
        return
    if key.strength != "good":
        make = fault if key.strength == "known" and is_reachable(site) else warning
        yield make(
            key.name, f"{key.name} {_WEAK[key.strength]}: anyone can forge a session", _MAKE, "secret-key"
        )
    if key.where:
        what = f"{key.name} is in {key.where}, which git tracks: anyone with the code can forge a session"
        yield warning(key.where, what, _MAKE, "secret-key")
