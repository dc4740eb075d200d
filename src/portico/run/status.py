"""What a running site tells about itself; plain values, ready for JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from portico.plan.model import Plan
from portico.run.machine.state import Life, State
from portico.run.news import News


def status(state: State, plan: Plan, pids: Mapping[int, int], now: float) -> dict[str, Any]:
    """`pids` are the first process of each generation and, under 0, nginx; `now` is the machine's time."""
    return {
        "name": plan.name,
        "app": plan.app,
        "urls": plan.urls,
        "pid": os.getpid(),
        "phase": state.phase,
        "up_seconds": round(now - state.began, 3),
        "live": state.live,
        "nginx": _life(state.gateway, pids.get(0), now),
        "generations": [
            {"number": g.number, **_life(g.life, pids.get(g.number), now)} for g in state.generations
        ],
        "files": f"{plan.runtime}/conf",
        "access_log": plan.access_log,
        "error_log": plan.error_log,
        "versions": dict(plan.versions),
    }


def _life(life: Life, pid: int | None, now: float) -> dict[str, Any]:
    return {
        "status": life.status,
        "pid": pid if life.is_running else None,
        "since_seconds": round(now - life.since, 3),
        "crashes": life.crashes,
    }


def told(item: News) -> dict[str, Any]:
    """A piece of news: its name under "news", and its fields."""
    return {"news": type(item).__name__, **msgspec.to_builtins(item)}
