"""What a running site tells about itself; plain values, ready for JSON."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from portico.plan.difference import command
from portico.plan.model import Plan
from portico.plan.paths import canary_aliases
from portico.run.gateway import files
from portico.run.machine.state import ProcessState, State


def status(state: State, plan: Plan, pids: Mapping[int, int], now: float) -> dict[str, Any]:
    """`pids` are the first process of each release and, under 0, nginx; `now` is the machine's time."""
    return {
        "name": plan.name,
        "app": plan.app,
        "urls": plan.urls,
        "listen": [str(address) for address in (*plan.listen, *(plan.tls.listen if plan.tls else ()))],
        "proxied": [str(address) for address in plan.proxied],
        "pid": os.getpid(),
        "phase": state.phase,
        "up_seconds": round(now - state.began, 3),
        "live": state.live,
        "gateway": plan.shared,
        "nginx": _process(state.gateway, pids.get(0), now),
        "releases": [
            {
                "number": g.number,
                **_process(g.process, pids.get(g.number), now),
                "failing": {"answer": g.process.answer, "hint": g.process.hint} if g.fails else None,
            }
            for g in state.releases
        ],
        "canary": _canary(state, plan, now),
        "files": f"{plan.runtime}/conf",
        "plan": _plan_in_force(plan),
        "processes": _processes(plan),
        "access_log": plan.access_log,
        "error_log": plan.error_log,
        "app_log": plan.app_log,
        "user": plan.server.user,
        "masked": plan.masked,
        "versions": dict(plan.versions),
    }


def _processes(plan: Plan) -> dict[str, Any]:
    """How each was started."""
    processes = [process for process in (plan.gateway, plan.server) if process.argv]
    return {process.name: asdict(command(process, plan.runtime)) for process in processes}


def _plan_in_force(plan: Plan) -> dict[str, Any]:
    """The directory of the files that nginx reads, and since when (Unix time)."""
    link = files.link(plan.runtime)
    try:
        return {"directory": str(link.resolve(strict=True)), "since": link.lstat().st_mtime}
    except OSError:  # not there before the first start
        return {"directory": "", "since": None}


def _canary(state: State, plan: Plan, now: float) -> dict[str, Any] | None:
    """Who gets which share since when, and over which of the paths: by them the log tells the two apart."""
    canary = state.canary
    if canary is None:
        return None
    return {
        "number": canary.number,
        "share": canary.tenths / 10,
        "since": round(time.time() - (now - canary.process.since), 3),
        "sockets": sorted(canary_aliases(plan.socket, canary.tenths)),
    }


def _process(process: ProcessState, pid: int | None, now: float) -> dict[str, Any]:
    return {
        "status": process.status,
        "pid": pid if process.is_running else None,
        "since_seconds": round(now - process.since, 3),
        "crashes": process.crashes,
    }
