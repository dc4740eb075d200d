"""Finds running sites, by name or by the words that started them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from portico.errors import PorticoError, Problem, UsageError
from portico.place import untrusted
from portico.place.probe import (
    runtime_directories,
    runtime_directory,
    service_directories,
    state_beside,
)
from portico.plan.paths import GATEWAY
from portico.project.named import as_config, config_file, is_directory, named_by_file, where_is
from portico.protocol.commands import STATUS
from portico.protocol.status import SiteRow
from portico.reading import ordinary
from portico.run.control import client
from portico.run.disk import lock
from portico.run.host.host_file import HOST_FILE
from portico.site.load import load, parsed
from portico.site.resolve import own_directory, site_name
from portico.site.variables import variable


def runtime_of(app: str | None, config: str | None, name: str = "") -> str:
    """The runtime directory of the site; `name` as in `run --name`. Raises UsageError.

    If several sites were started together and no single one is meant, that of their gateway.
    """
    app, config = as_config(app, config)
    is_one = config is not None or (bool(app) and not is_directory(str(app)))
    directory, _ = where_is(app, config)
    gateway = runtime_directory(own_directory(directory), name or GATEWAY)
    file = config_file(directory, config)
    name = name or os.environ.get(variable("name"), "").strip() or (_name(file) if file else "")
    name = name or named_by_file(config) or site_name(directory)
    own = runtime_directory(own_directory(directory), name)
    is_gateway = not is_one and lock.running(str(own)) is None and lock.running(str(gateway)) is not None
    if is_gateway and not (own / HOST_FILE).exists():
        return str(gateway)
    service = _service(own) if lock.running(str(own)) is None else None
    if service or app or config or name != site_name(directory) or lock.running(str(own)) is not None:
        return str(service[0] if service else own)
    return str(_started_here(own))


def _service(own: Path) -> tuple[Path, Path] | None:
    """Runtime and state directory of a systemd service that runs this site. Raises PorticoError if it belongs to
    another user.
    """
    for runtime, state in service_directories(own.name):
        try:
            if lock.running(str(runtime)):
                return runtime, state
        except PermissionError:
            what = f"runs as a service of another user, in {runtime.parent}"
            raise PorticoError(Problem(lock.site_of(own), what, "ask as that user, or as root")) from None
    return None


def _started_here(own: Path) -> Path:
    """The site that was started in this directory and is elsewhere, as with `portico run sub/dir/x.py`.

    Raises UsageError if there are several; the one of the directory itself if there is none.
    """
    here = str(Path.cwd())
    running = ((path, lock.running(str(path))) for path in runtime_directories() if not gateway_of(str(path)))
    found = [path for path, one in running if one and one.started_in == here]
    if len(found) > 1:
        names = ", ".join(lock.site_of(path) for path in found)
        raise UsageError(Problem("", "several sites were started here", f"choose one with --site: {names}"))
    return found[0] if found else own


def state_beside_of(runtime: str) -> str:
    """The directory of its logs, whether it runs or not."""
    path = Path(runtime)
    return str(dict(service_directories(path.name)).get(path) or state_beside(path))


def refuse_several(runtime: str) -> None:
    """Raises UsageError for a running gateway of several sites."""
    if several := next(client.ask(runtime, STATUS)).sites:
        names = ", ".join(one.name for one in several)
        raise UsageError(Problem("", "several sites run here", f"choose one with --site: {names}"))


def refuse_absent(runtime: str) -> None:
    """Raises PorticoError for a gateway's site that does not run, with the gateway's information about it."""
    if lock.running(runtime) is None and (found := absent(runtime)):
        status = found.status
        what, hint = f"{status.name} is {status.status}", f"try it again: {_TRY} {status.name}"
        hint = "wait until it serves" if status.status == "starting" else hint
        raise PorticoError(Problem(status.origin or "", what, hint, status.reason or ""))


_TRY = "portico reload --site"


class Absent(Struct, frozen=True):
    """A site of a running gateway that does not run; `status` is its row of the gateway's status."""

    gateway: str
    status: SiteRow


def absent(runtime: str) -> Absent | None:
    """A running gateway's information about the site of that runtime directory, if it is one of its."""
    gateway = gateway_of(runtime)
    wanted = _wanted_by([Path(gateway)] if gateway else runtime_directories())
    return next((one for one in wanted if one.status.runtime == runtime), None)


def _wanted_by(directories: Iterable[Path]) -> Iterator[Absent]:
    """The sites of running gateways among the directories."""
    for directory in map(str, directories):
        running = lock.running(directory)
        if running is None or running.app:
            continue
        try:
            (status,) = client.ask(directory, STATUS)
        except (PorticoError, ValueError):
            continue  # it starts or ends at this moment
        yield from (Absent(directory, one) for one in status.sites or ())


def gateway_of(runtime: str) -> str:
    """The runtime directory of the running gateway that serves that site, "" for none."""
    try:
        gateway = untrusted.content(Path(runtime) / HOST_FILE, _LONGEST_PATH).decode("utf-8")
        return gateway if lock.running(gateway) else ""
    except (OSError, ValueError):  # no text, or no path: another user's site
        return ""


_LONGEST_PATH = 4096


def by_name(site: str) -> str:
    """The runtime directory of the running site with that name. Raises PorticoError."""
    every = runtime_directories()
    found = [one for one in every if one.name[:-_KEY] == site and _is_known(one)]
    if len(found) == 1:
        return str(found[0])
    if found:
        where = "\n".join(map(str, found))
        raise UsageError(
            Problem("--site", f'{len(found)} sites are called "{site}"', f"name its directory\n{where}")
        )
    wanted = list(_wanted_by(every))
    for one in wanted:
        if one.status.name == site and one.status.runtime:
            return one.status.runtime
        if one.status.name == site:
            raise PorticoError(
                Problem("--site", f"{site} is {one.status.status}", quote=one.status.reason or "")
            )
    names = {one.name[:-_KEY] for one in every if _is_known(one)} | {one.status.name for one in wanted}
    there_are = f"there are: {', '.join(sorted(names))}" if names else ""
    raise UsageError(Problem("--site", f'no site called "{site}" runs', there_are))


_KEY = len("-123456")
"""What distinguishes sites with the same name."""


def _is_known(directory: Path) -> bool:
    return lock.running(str(directory)) is not None or bool(gateway_of(str(directory)))


def _name(file: Path) -> str:
    """The name only: other errors in the file must not prevent questions about the running site."""
    try:
        name = parsed(ordinary(file).decode("utf-8")).get("name", "")
    except (OSError, ValueError):
        return load(file, {})[0].name
    return name if isinstance(name, str) else ""
