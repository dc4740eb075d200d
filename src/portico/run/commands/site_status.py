"""The status of a running site, from its supervisor's state; `usage` adds figures of the kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import NamedTuple

from portico.plan.difference import command
from portico.plan.model import Plan
from portico.plan.paths import canary_aliases
from portico.protocol.status import (
    BackgroundStatus,
    Canary,
    Failing,
    GatewayStatus,
    LimitInForce,
    PlanInForce,
    ReleaseStatus,
    SiteStatus,
    StartedProcess,
)
from portico.run.gateway import files
from portico.run.machine.state import Background, ProcessState, Release, State, Status


def status(
    state: State,
    plan: Plan,
    plans: Mapping[int, Plan],
    pids: Mapping[int, int],
    background: Mapping[int, int],
    now: float,
) -> SiteStatus:
    """`plan` is the one in force, `plans` are those of the releases. `pids` are the first process of each release and,
    under 0, the gateway; those of `background` processes are by their ids. `now` is the machine's time.
    """
    return SiteStatus(
        name=plan.name,
        app=plan.app,
        urls=plan.urls,
        listen=tuple(map(str, (*plan.listen, *(plan.tls.listen if plan.tls else ())))),
        proxied=tuple(map(str, plan.proxied)),
        pid=os.getpid(),
        phase=state.phase.value,
        up_seconds=round(now - state.began, 3),
        live=state.live,
        gateway=GatewayStatus(*_process(state.gateway, pids.get(0), now), name=plan.gateway.name),
        socket="" if plan.has_gateway else plan.socket,
        host_runtime=plan.shared,
        releases=tuple(
            _release(each, plans.get(each.number), pids.get(each.number), now) for each in state.releases
        ),
        background=tuple(_background(one, background.get(one.id), now) for one in state.background),
        canary=_canary(state, plan, now),
        files=f"{plan.runtime}/conf",
        plan=_plan_in_force(plan),
        processes=_processes(plan),
        access_log=plan.access_log,
        error_log=plan.error_log,
        app_log=plan.app_log,
        user=plan.server.user,
        masked=tuple(plan.masked),
        versions=dict(plan.versions),
        limits=tuple(
            LimitInForce(one.zone, one.limit, one.of, one.per, one.cause, one.is_dry_run)
            for one in plan.guards.limits
        ),
    )


def _release(one: Release, plan: Plan | None, pid: int | None, now: float) -> ReleaseStatus:
    return ReleaseStatus(
        one.number,
        *_process(one.process, pid, now),
        Failing(one.process.answer, one.process.hint) if one.fails else None,
        python=plan.python if plan else "",
        python_version=plan.python_version if plan else "",
    )


def _processes(plan: Plan) -> dict[str, StartedProcess]:
    """The command line of each process."""
    started = {
        process.name: command(process, plan.runtime)
        for process in (plan.gateway, plan.server, *plan.background.values())
        if process.argv
    }
    return {name: StartedProcess(one.argv, one.cwd, dict(one.env)) for name, one in started.items()}


def _plan_in_force(plan: Plan) -> PlanInForce:
    link = files.link(plan.runtime)
    try:
        return PlanInForce(str(link.resolve(strict=True)), link.lstat().st_mtime)
    except OSError:  # it does not exist before the first start
        return PlanInForce()


def _canary(state: State, plan: Plan, now: float) -> Canary | None:
    canary = state.canary
    if canary is None:
        return None
    since = round(time.time() - (now - canary.process.since), 3)
    sockets = tuple(sorted(canary_aliases(plan.socket, canary.tenths)))
    return Canary(canary.number, canary.tenths / 10, since, sockets)


def _background(one: Background, pid: int | None, now: float) -> BackgroundStatus:
    found = _process(one.process, pid, now)
    word = "running" if one.process.status is Status.WELL else found.status
    return BackgroundStatus(one.name, one.number, word, *found[1:])


class _Process(NamedTuple):
    status: str
    pid: int | None
    since_seconds: float
    crashes: int


def _process(process: ProcessState, pid: int | None, now: float) -> _Process:
    pid = pid if process.is_running else None
    return _Process(process.status.value, pid, round(now - process.since, 3), process.crashes)
