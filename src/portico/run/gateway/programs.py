"""The supported web servers, one for each kind of gateway (`plan.gateway.kinds`)."""

from __future__ import annotations

from portico.plan.model import Plan
from portico.run.gateway.httpd.program import HTTPD
from portico.run.gateway.nginx.program import NGINX
from portico.run.gateway.program import Program

PROGRAMS = (NGINX, HTTPD)


def program_of(plan: Plan) -> Program:
    """The program that the plan starts, or that its shared gateway has started."""
    return program_named(plan.gateway.name)


def program_named(name: str) -> Program:
    return next(program for program in PROGRAMS if program.name == name)
