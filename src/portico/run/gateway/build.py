"""Builds the gateway of a running site."""

from __future__ import annotations

from collections.abc import Callable

from portico.plan.model import Plan
from portico.protocol.notices import Notice
from portico.run.gateway.elsewhere import GatewayElsewhere
from portico.run.gateway.model import Gateway, Tell
from portico.run.gateway.own import OwnGateway
from portico.run.gateway.programs import program_of
from portico.run.gateway.shared import SharedGateway
from portico.run.processes.table import Processes
from portico.run.sockets.listening import Listening


def gateway(
    plan: Plan, processes: Processes, listening: Listening, tell: Tell, say: Callable[[Notice], None]
) -> Gateway:
    """A child process of the site, the shared gateway that serves it, or one that is nobody's here."""
    if not plan.has_gateway:
        return GatewayElsewhere(tell)
    program = program_of(plan)
    if plan.shared:
        return SharedGateway(program, plan, tell, say)
    return OwnGateway(program, processes, listening, tell, say)
