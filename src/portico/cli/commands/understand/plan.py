"""`portico plan`: shows processes, files and reasons, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from portico.cli import output
from portico.cli.completion import folders
from portico.cli.difference import against_running, lines, say_if_other_runs
from portico.cli.flags import development_flag, given, site_arguments
from portico.cli.running import runtime_of
from portico.errors import PorticoError, Problem
from portico.plan.files import Process
from portico.plan.model import Plan
from portico.project.gather import gather
from portico.project.running import gateway_of
from portico.run.disk.write import write_for_user


@click.command("plan")
@site_arguments
@development_flag
@click.option("--json", "is_json", is_flag=True, help="Everything as JSON.")
@click.option(
    "--write",
    metavar="DIR",
    shell_complete=folders,
    help="Write the files into DIR, which must be empty or new.",
)
@click.option("--diff", "is_diff", is_flag=True, help="Show only what differs from the running site.")
def command(
    app: str | None, config: str | None, is_json: bool, write: str | None, is_diff: bool, **flags: Any
) -> None:
    """Show how APP would be run: processes and files, without starting anything."""
    # A site that runs beside others is compared with a plan for a gateway.
    gateway = gateway_of(runtime_of(app, config, flags.get("name") or "")) if is_diff else ""
    gathered = gather(app, config, given(flags), gateway=gateway, looks=True)
    plan = gathered.plan
    if is_diff:
        _show_difference(plan, is_json=is_json)
    elif write:
        _write(plan, Path(write))
    elif is_json:
        output.result(output.as_json(plan))
    else:
        output.results(_lines(plan, gathered.place.gateway_why))
        say_if_other_runs(plan)


def _show_difference(plan: Plan, *, is_json: bool) -> None:
    found = against_running(plan)
    if is_json:
        output.result(output.as_json(found))
    else:
        output.results(lines(found))


def _lines(plan: Plan, gateway_why: str) -> list[str]:
    lines = [output.strong(f"{plan.app or plan.name} at {'  '.join(plan.urls)}"), ""]
    if gateway_why:
        program = plan.gateway.name
        lines += [f"{program} {plan.versions[program]} was taken: {gateway_why}", ""]
    known = (plan.gateway, plan.before, plan.server, plan.after, *plan.background.values())
    for process in (one for one in known if one and one.argv):
        lines += _process(process, f"{plan.runtime}/conf")
    for directory in plan.directories:
        owner = f" of {directory.owner or directory.group}" if directory.owner or directory.group else ""
        lines.append(f"directory {directory.path}  {directory.mode:04o}{owner}")
    for file in plan.files:
        lines += ["", output.strong(f"{plan.runtime}/conf/{file.path}")]
        lines += ["  (not shown)"] if file.is_secret else ["  " + line.text for line in file.lines]
    lines += ["", *(output.warned(f"note: {note}") for note in plan.notes)]
    lines += [output.bad(f"DANGER: {alarm}") for alarm in plan.alarms]
    return [*lines, "portico explain says why each line is there."]


def _process(process: Process, conf: str) -> list[str]:
    hidden = dict.fromkeys(process.secrets, "(not shown)")
    env = " ".join(f"{name}={value}" for name, value in {**process.env, **hidden}.items())
    words = " ".join(process.at(conf))
    return [
        f"{output.strong(process.name)}: {process.why}",
        f"  in {process.cwd}",
        f"  {env} {words}".replace("   ", "  "),
        "",
    ]


def _write(plan: Plan, directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise PorticoError(
                Problem(str(directory), "is not empty", "name a new directory; nothing is overwritten")
            )
        for path in write_for_user(plan.files, directory):
            output.result(str(path))
    except OSError as error:
        raise PorticoError(
            Problem(str(error.filename or directory), f"cannot be written: {error.strerror}")
        ) from None
