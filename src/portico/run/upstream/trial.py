"""Checks whether a reload may switch to other servers: not if none of them answers while the old ones do."""

from __future__ import annotations

import asyncio

from portico.errors import Problem
from portico.plan.model import Plan
from portico.plan.subjects import UpstreamServer
from portico.run.upstream import health
from portico.run.upstream.ask import ask
from portico.run.upstream.health import Answer

_TIMES = 3
_PAUSE_SECONDS = 0.5


def objections(plan: Plan, old: Plan) -> tuple[Problem, ...]:
    """The problems of a new plan's servers; blocks while they are asked, in any thread.

    None if an app runs here: it is checked itself. None with `check = "0s"`: then no server is checked.
    """
    if plan.has_app or plan.upstream is None or not plan.upstream.check_seconds:
        return ()
    return asyncio.run(_objections(plan, old))


async def _objections(plan: Plan, old: Plan) -> tuple[Problem, ...]:
    answers = dict[str, Answer]()
    for turn in range(_TIMES):
        if turn:
            await asyncio.sleep(_PAUSE_SECONDS)
        answers = await _answers(plan)
        if any(answer.is_well for answer in answers.values()):
            return ()
    if not old.has_app and not any(answer.is_well for answer in (await _answers(old)).values()):
        return ()  # nothing is lost
    said = "; ".join(f"{name}: {answer}" for name, answer in answers.items())
    hint = "start one of them or correct [upstream] servers, and reload again"
    return (Problem("", f"no server of the new [upstream] is healthy ({said})", hint),)


async def _answers(plan: Plan) -> dict[str, Answer]:
    """The answer of each server, by its name."""
    upstream = plan.upstream
    if upstream is None:
        return {}

    async def one(server: UpstreamServer) -> Answer:
        return await health.in_time(lambda: ask(server, upstream, plan.health))

    found = await asyncio.gather(*map(one, upstream.servers))
    return {server.name: answer for server, answer in zip(upstream.servers, found, strict=True)}
