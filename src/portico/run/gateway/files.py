"""Configuration on disk: writes it to a new directory, lets the gateway test exactly those bytes, then switches.

`conf-N` holds the files of release N and is never edited; `conf` is a symlink to the active one.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from portico import atomic
from portico.errors import Problem
from portico.place import untrusted
from portico.plan.files import CONF, File
from portico.plan.gateway.kinds import gateway_named
from portico.plan.model import Plan
from portico.plan.paths import routed_sockets, slow, trace, workers
from portico.plan.subjects import PlannedChallenge, Tls
from portico.run.challenge import keys
from portico.run.disk.write import write_files
from portico.run.gateway.programs import program_of

if TYPE_CHECKING:
    from portico.run.tls.material import Material

_NUMBERED = re.compile(r"(?:conf-|.*-)(\d+)(?:\.sock(?:\.keep)?)?")


def directory(runtime: str, number: int) -> Path:
    return Path(runtime) / f"conf-{number}"


def link(runtime: str) -> Path:
    """The gateway's start configuration: the path is the same for every release."""
    return Path(runtime) / "conf"


def next_number(runtime: str) -> int:
    """A number that no path contains: a server that outlived its Portico may still unlink its own path."""
    names = chain.from_iterable(Path(runtime).glob(pattern) for pattern in ("conf-*", "*.sock", "*.keep"))
    numbers = [int(match[1]) for path in names if (match := _NUMBERED.fullmatch(path.name))]
    return max(numbers, default=0) + 1


def write(plan: Plan, number: int, out: Collection[str] = (), material: Material | None = None) -> None:
    """Write the plan's files to the release's own directory, without these servers. Raises OSError."""
    fresh = directory(plan.runtime, number)
    fresh.mkdir(exist_ok=True)
    write_files([file for file in plan.files if not _is_there(file, fresh)], fresh)
    use_servers(plan, number, out)
    use_material(plan, number, material)
    use_keys(plan, number)


def use_keys(plan: Plan, number: int) -> None:
    """Put the keys for passes where the gateway reads them next; replace old ones. Raises OSError."""
    if plan.guards.challenge is not None:
        _put(keys.kept(plan.guards.challenge.keys, time.time()).file(), directory(plan.runtime, number))


def write_server(plan: Plan, number: int) -> None:
    """Write the app server's files before the whole plan is known (`run.supervisor.ahead`). Raises OSError."""
    fresh, named = directory(plan.runtime, number), _of_the_server(plan)
    fresh.mkdir(exist_ok=True)
    write_files([file for file in plan.files if file.path in named], fresh)


def _is_there(file: File, fresh: Path) -> bool:
    """Whether this text is already in the file: a server that was started ahead may be reading it."""
    try:
        return (fresh / file.path).read_text("utf-8") == file.content
    except OSError:
        return False


def use_material(plan: Plan, number: int, material: Material | None) -> None:
    """Put the certificate and the HSTS header where the gateway reads them next. Raises OSError."""
    if material is not None:
        _put_material(plan, material, directory(plan.runtime, number))


def _put_material(plan: Plan, material: Material, here: Path) -> None:
    """Replace each file atomically by a rename; the key is private from its first byte."""
    if plan.tls is not None:
        atomic.write(here / Tls.CERTIFICATE, material.certificate.pem)
        _put(gateway_named(plan.gateway.name).hsts(plan.tls, material.hsts_seconds), here)


def _put(file: File, here: Path) -> None:
    atomic.write(here / file.path, file.content.encode(), file.mode)


@contextmanager
def material_trial(plan: Plan, number: int, material: Material) -> Iterator[Path]:
    """A directory in which the gateway finds that certificate beside the active files."""
    trial, here = Path(plan.runtime) / "certificate-trial", directory(plan.runtime, number)
    shutil.rmtree(trial, ignore_errors=True)
    trial.mkdir(mode=0o700)
    try:
        for path in here.iterdir():
            if path.name not in Tls.FILES:
                (trial / path.name).symlink_to(path)
        _put_material(plan, material, trial)
        yield trial
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def use_servers(plan: Plan, number: int, out: Collection[str]) -> None:
    """Put the list of servers, without these, where the gateway reads it next. Atomic. Raises OSError."""
    if plan.upstream is None:
        return
    here = directory(plan.runtime, number)
    file = plan.upstream.file(out)
    if _is_there(file, here):
        return
    _put(file, here)


@contextmanager
def servers_trial(plan: Plan, number: int, out: Collection[str]) -> Iterator[Path | None]:
    """A directory in which the gateway finds that list beside the active files; None if there is no list."""
    if plan.upstream is None:
        yield None
        return
    trial, here = Path(plan.runtime) / "servers-trial", directory(plan.runtime, number)
    shutil.rmtree(trial, ignore_errors=True)
    trial.mkdir()
    try:
        write_files([plan.upstream.file(out)], trial)
        for path in here.iterdir():
            if path.name != plan.upstream.FILE:
                (trial / path.name).symlink_to(path)
        yield trial
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def tested(plan: Plan, where: Path) -> tuple[Problem, ...]:
    """The gateway's errors about the files in that directory; blocks while it reads them."""
    return program_of(plan).objections(plan, where)


def use(runtime: str, number: int) -> None:
    """Activate that release's files for the gateway's next start or reload."""
    if _named(link(runtime)) == directory(runtime, number).name:
        return
    draft = link(runtime).with_suffix(".next")
    draft.unlink(missing_ok=True)
    draft.symlink_to(directory(runtime, number).name)
    draft.replace(link(runtime))


def _named(path: Path) -> str:
    """The target of a link; empty if there is none."""
    try:
        return str(path.readlink())
    except OSError:
        return ""


def prune(runtime: str, keep: Collection[int]) -> None:
    """Remove the directories of all other releases."""
    kept = {directory(runtime, number).name for number in keep}
    for path in Path(runtime).glob("conf-*"):
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def in_force(runtime: str) -> dict[str, str]:
    """The files of the gateway and the app server, by their paths; without keys.

    Python's bytecode beside gunicorn.conf.py is left out, too.
    """
    here = link(runtime).resolve()
    return {
        str(path.relative_to(here)): path.read_text("utf-8")
        for path in sorted(here.rglob("*"))
        if path.is_file()
        and path.name not in (*Tls.FILES, PlannedChallenge.FILE)
        and path.parent.name != "__pycache__"
    }


def remove(plan: Plan) -> None:
    """Remove all files, and those that the workers left: the gateway and they have exited."""
    runtime = plan.runtime
    link(runtime).unlink(missing_ok=True)
    for left in (slow(runtime), trace(runtime), workers(runtime)):
        untrusted.remove_tree(left)  # workers of another user write there
    for name in program_of(plan).leftovers:
        (Path(runtime) / name).unlink(missing_ok=True)
    remove_routed(plan)
    with suppress(OSError):
        Path(routed_sockets(runtime)).rmdir()
    prune(runtime, ())


def remove_routed(plan: Plan) -> None:
    """Remove the sockets that a killed gateway left: no other one could bind them."""
    for path in Path(routed_sockets(plan.runtime)).glob("*.sock"):
        path.unlink(missing_ok=True)


def gateway_changed(old: Plan, new: Plan) -> bool:
    """Whether the gateway reads other files under the new plan; files that the app server does not name are its
    own.
    """
    return _gateway_files(old) != _gateway_files(new)


def _gateway_files(plan: Plan) -> dict[str, str]:
    servers = _of_the_server(plan)
    return {file.path: file.content for file in plan.files if file.path not in servers}


def _of_the_server(plan: Plan) -> set[str]:
    """The paths of the files that the app server reads."""
    return {word.removeprefix(f"{CONF}/") for word in plan.server.argv if CONF in word}
