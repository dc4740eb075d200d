"""Makes a new plan for a running site: checks fixed options, and chooses the initial certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from portico.errors import PorticoError, Problem
from portico.plan.model import Plan
from portico.run.machine import Timeouts
from portico.run.machine import event as was
from portico.run.supervisor.ahead import Begin

if TYPE_CHECKING:
    from portico.run.tls.material import Material

Replan = Callable[[str, Plan, Begin], Plan]
"""Arguments: the directory of the code ("" for unchanged), the active plan, and a function that starts on a draft.
"""


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
    """The machine's timeouts for a release of this plan."""
    return Timeouts(plan.health.start_seconds, plan.ladder.stop_seconds, plan.standby_seconds)


def begin(number: int, plan: Plan, *, is_handed_over: bool) -> was.Begin:
    """The machine's first event."""
    return was.Begin(
        number, is_handed_over, plan.before is not None, (*plan.background,), plan.after is not None
    )


def planned(number: int, plan: Plan, old: Plan, *, changed: bool) -> was.Planned:
    """The event for the plan of the next release; `changed` if the gateway has to read new files."""
    rules = plan.has_app and plan.socket != old.socket
    has_before = plan.before is not None
    return was.Planned(
        number, timeouts(plan), changed, rules, has_before, (*plan.background,), plan.after is not None,
        _other_python(plan, old),
    )  # fmt: skip


def _other_python(plan: Plan, old: Plan) -> str:
    """The interpreter of the plan in words; empty if it is the old one."""
    is_same = (plan.python, plan.python_version) == (old.python, old.python_version)
    return "" if is_same or not plan.has_app else f"Python {plan.python_version} ({plan.python})"


def first_material(plan: Plan) -> Material | None:
    """The certificate for the start. Raises PorticoError if there is none to serve with."""
    if plan.tls is None:
        return None
    from portico.run.tls.material import choose  # 60 ms, only with HTTPS

    return choose(plan)


def next_material(plan: Plan, old: Plan, served: Material | None) -> Material | None:
    """The certificate for the new plan: the current one, if nothing about HTTPS has changed."""
    if plan.tls is None or (plan.tls == old.tls and served is not None):
        return served if plan.tls else None
    from portico.run.tls.material import choose

    return choose(plan, served)
