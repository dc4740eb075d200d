"""`portico plan --diff`: shows what a reload would change."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from portico.cli import output
from portico.errors import PorticoError
from portico.plan.difference import Command, Difference, Running, difference
from portico.plan.model import Plan
from portico.project.running import gateway_of
from portico.protocol.commands import STATUS
from portico.protocol.status import StartedProcess
from portico.run.control import client
from portico.run.disk import lock
from portico.run.gateway import files


def against_running(plan: Plan) -> Difference:
    """The plan beside the running site, or beside nothing."""
    if lock.running(plan.runtime) is None:
        return difference(None, plan)
    processes: Mapping[str, StartedProcess] = {}
    with contextlib.suppress(
        PorticoError
    ):  # the site is starting or stopping: only its files can be compared
        for status in client.ask(plan.runtime, STATUS):
            processes = status.processes
    commands = {name: Command(one.argv, one.cwd, one.env) for name, one in processes.items()}
    return difference(Running(files.in_force(plan.runtime), commands), plan)


def say_if_other_runs(plan: Plan) -> None:
    """One line if the running site differs from the shown plan: it was started with other arguments.

    A site on a gateway has other files than a plan for it alone, so it is not compared.
    """
    if lock.running(plan.runtime) is None or gateway_of(plan.runtime):
        return
    found = against_running(plan)
    is_known = not found.processes or any(one.before for one in found.processes)
    if found.files or (found.processes and is_known):
        output.say(
            output.warned(
                "note: the running site differs from this plan (other flags, or changed since): portico plan --diff"
            )
        )


def lines(found: Difference) -> list[str]:
    """The difference as text for people."""
    if found.is_running and not found.files and not found.processes:
        return ["nothing would change: this plan is running"]
    made = [_coloured(line) for file in found.files for line in file.diff]
    made += [""] if made and found.processes else []
    for process in found.processes:
        made.append(output.strong(f"{process.name}: {process.change}"))
        made += [output.bad(f"- {_words(process.before)}")] if process.before else []
        made += [output.good(f"+ {_words(process.after)}")] if process.after else []
    return [*made, "", _verdict(found)]


def _verdict(found: Difference) -> str:
    if not found.is_running:
        return "nothing runs: all of it would be new"
    if found.needs_restart:
        return "a reload would be refused: the gateway's command line has changed; stop Portico and start it again"
    if found.reloads_gateway:
        return "a reload would restart the app and reload the gateway"
    return "a reload would restart the app; the gateway would not be reloaded"


def _words(command: Command) -> str:
    env = [f"{name}={value}" for name, value in command.env.items()]
    return " ".join([*env, *command.argv, f"(in {command.cwd})"])


def _coloured(line: str) -> str:
    if line.startswith(("---", "+++")):
        return output.strong(line)
    if line.startswith("@@"):
        return output.faint(line)
    return output.good(line) if line.startswith("+") else output.bad(line) if line.startswith("-") else line
