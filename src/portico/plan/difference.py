"""What a plan would change in the running site. Values in, values out."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from msgspec import Struct

from portico.plan.files import CONF, Process
from portico.plan.model import Plan


class Command(Struct, frozen=True):
    """The command of a started process."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]


class Running(Struct, frozen=True):
    """The running site: its files by path, and its processes by name."""

    files: Mapping[str, str]
    processes: Mapping[str, Command]


class FileChange(Struct, frozen=True):
    """`change` is "added", "removed" or "changed"; `diff` the lines of a unified diff."""

    path: str
    change: str
    diff: tuple[str, ...]


class ProcessChange(Struct, frozen=True):
    """`change` as for a file; `before` or `after` is None if there is no such process."""

    name: str
    change: str
    before: Command | None
    after: Command | None


class Difference(Struct, frozen=True):
    """`reloads_gateway`: at a reload the gateway would read its files again. `needs_restart`: it would be refused."""

    is_running: bool
    files: tuple[FileChange, ...]
    processes: tuple[ProcessChange, ...]
    reloads_gateway: bool
    needs_restart: bool


def difference(running: Running | None, plan: Plan) -> Difference:
    """The difference between the running site (None for none) and the plan."""
    before = running or Running({}, {})
    files = _files(before.files, {file.path: file.content for file in plan.files})
    processes = _processes(before.processes, _commands(plan))
    of_server = {word.removeprefix(f"{CONF}/") for word in plan.server.argv if CONF in word}
    return Difference(
        is_running=running is not None,
        files=files,
        processes=processes,
        reloads_gateway=running is not None and any(file.path not in of_server for file in files),
        needs_restart=running is not None and any(one.name == plan.gateway.name for one in processes),
    )


def command(process: Process, runtime: str) -> Command:
    """The command as it would be started in that runtime directory, regardless of the number of its release files."""
    hidden = dict.fromkeys(process.secrets, "(not shown)")
    return Command(process.at(f"{runtime}/conf"), process.cwd, {**process.env, **hidden})


def _commands(plan: Plan) -> dict[str, Command]:
    known = (plan.gateway, plan.before, plan.server, plan.after, *plan.background.values())
    processes = [process for process in known if process and process.argv]
    return {process.name: command(process, plan.runtime) for process in processes}


def _files(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[FileChange, ...]:
    return tuple(
        FileChange(path, _change(path in before, path in after), _diff(path, before, after))
        for path in [*after, *(path for path in before if path not in after)]
        if before.get(path) != after.get(path)
    )


def _diff(path: str, before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    old, new = before.get(path), after.get(path)
    names = (
        "/dev/null" if old is None else f"running/{path}",
        "/dev/null" if new is None else f"plan/{path}",
    )
    lines = difflib.unified_diff((old or "").splitlines(), (new or "").splitlines(), *names, lineterm="")
    return tuple(lines)


def _processes(before: Mapping[str, Command], after: Mapping[str, Command]) -> tuple[ProcessChange, ...]:
    return tuple(
        ProcessChange(name, _change(name in before, name in after), before.get(name), after.get(name))
        for name in [*after, *(name for name in before if name not in after)]
        if before.get(name) != after.get(name)
    )


def _change(was: bool, will_be: bool) -> str:
    return "changed" if was and will_be else "added" if will_be else "removed"
