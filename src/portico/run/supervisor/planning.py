"""A new plan for a site that runs: what of it cannot change while it runs, and what its HTTPS begins with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from portico.errors import PorticoError, Problem
from portico.plan.model import Plan
from portico.run.machine import Timeouts
from portico.run.supervisor.ahead import Begin

if TYPE_CHECKING:
    from portico.run.tls.material import Material

Replan = Callable[[str, Plan, Begin], Plan]
"""With the directory where the code is now ("" for where it was), the plan in force, and who begins on a draft."""


def refuse_what_needs_a_restart(old: Plan, new: Plan) -> None:
    """Raises PorticoError."""
    changed = [
        what
        for what, is_changed in (
            (f"the {old.gateway.name} program or how it is started", old.gateway != new.gateway),
            ("the runtime directory", old.runtime != new.runtime),
            ("who runs the app", old.server.user != new.server.user),
        )
        if is_changed
    ]
    if changed:
        hint = "stop Portico and start it again"
        raise PorticoError(
            *(Problem("reload", f"{what} cannot change while it runs", hint) for what in changed)
        )


def timeouts(plan: Plan) -> Timeouts:
    """What the machine waits for a release of this plan."""
    return Timeouts(plan.health.start_seconds, plan.ladder.stop_seconds, plan.standby_seconds)


def first_material(plan: Plan) -> Material | None:
    """What HTTPS begins with at a start. Raises PorticoError when there is nothing to serve with."""
    if plan.tls is None:
        return None
    from portico.run.tls.material import choose  # 60 ms that only HTTPS costs

    return choose(plan)


def next_material(plan: Plan, old: Plan, served: Material | None) -> Material | None:
    """What the new plan's HTTPS begins with: what is served, when nothing about it has changed."""
    if plan.tls is None or (plan.tls == old.tls and served is not None):
        return served if plan.tls else None
    from portico.run.tls.material import choose

    return choose(plan, served)
