"""Probes the machine once: the facts that a plan depends on."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import resource
import socket
import sys
from importlib import metadata
from pathlib import Path

from portico.app_servers.kinds import KINDS
from portico.place import cgroup, names
from portico.place.container import is_container
from portico.place.gateway.finder import Finder
from portico.place.gateway.finders import finder_named
from portico.place.model import Place
from portico.place.preset import RUNTIME, STATE
from portico.place.rule_set import rule_set
from portico.place.tools import of_tools

_MOST_FILES = 1 << 20
"""More open files than any gateway needs; a container's limit may be a thousand times that."""


def probe(program: str, choice: str, directory: Path, name: str) -> Place:
    """What this machine is, for a site called `name` in `directory`.

    `program` is the gateway's (`place.gateway.finders`), `choice` "auto", "embedded", "system" or the path of a binary;
    with "auto" the place holds every build that could be taken. Raises UsageError when there is none.
    """
    finder = finder_named(program)
    cpus, memory = cgroup.cpus(), cgroup.memory()
    gateway_user, gateway_group = _user_of(finder) if os.geteuid() == 0 else ("", "")
    state = state_directory(directory, name)
    builds = finder.found(choice)
    return Place(
        gateway=builds.first,
        others=builds.others,
        gateway_named="" if choice == "auto" else choice,
        gateway_note=builds.note,
        systems=names.systems(),
        runtime=str(runtime_directory(directory, name)),
        state=str(state),
        real_state=str(state.resolve()),
        python=sys.executable,
        python_version=".".join(map(str, sys.version_info[:3])),
        app_servers={kind.name: version for kind in KINDS if (version := _version(kind.package))},
        otlp=_version("opentelemetry-proto"),
        cpus=cpus.value,
        cpus_source=cpus.source,
        memory=int(memory.value),
        memory_source=memory.source,
        somaxconn=_somaxconn(),
        file_limit=_file_limit(),
        disk=_disk(state),
        user=_user(),
        gateway_user=gateway_user,
        gateway_group=gateway_group,
        has_ipv6=_has_ipv6(),
        rule_set=rule_set(),
        resolvers=names.resolvers(),
        known_hosts=names.known_hosts(),
        ca_file=names.ca_file(),
        ends_with_session=_ends_with_session(runtime_directory(directory, name)),
        is_container=is_container(os.environ),
        port_of_platform=os.environ.get("PORT", ""),
        variables_of_tools=of_tools(os.environ),
        shared_memory="/dev/shm" if os.access("/dev/shm", os.W_OK) else "",  # noqa: S108  Linux's name for it
    )


def runtime_directory(directory: Path, name: str) -> Path:
    """The directory of sockets and configuration for the site in `directory`: short, private, removed at boot.

    Named after the site below PORTICO_RUNTIME_DIR: two sites never share one.
    """
    return _runtime_parent() / site_key(directory, name)


def _ends_with_session(runtime: Path) -> bool:
    """Whether systemd-logind removes it when the user's last session ends."""
    if not runtime.is_relative_to(f"/run/user/{os.geteuid()}"):
        return False
    try:
        return not Path("/var/lib/systemd/linger", pwd.getpwuid(os.geteuid()).pw_name).exists()
    except (OSError, KeyError):
        return True


def runtime_directories(name: str = "*") -> list[Path]:
    """The existing runtime directories of sites with that name, or of all."""
    return sorted(path for path in _runtime_parent().glob(f"{name}-{'[0-9a-f]' * 6}") if path.is_dir())


SERVICES = Path(RUNTIME), Path(STATE)
"""Where systemd creates the directories of `portico export systemd`: for sockets, and for state."""


def service_directories(key: str) -> list[tuple[Path, Path]]:
    """Runtime and state directory of each service with a site of that key; none if another parent is set."""
    if os.environ.get("PORTICO_RUNTIME_DIR"):
        return []
    runtime, state = SERVICES
    return [
        (path / key, state / path.name / key)
        for path in sorted(runtime.glob("portico-*"))
        if _is_there(path / key)
    ]


def _is_there(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def parents() -> tuple[Path, Path]:
    """The parents of this user's runtime and state directories."""
    return _runtime_parent(), _state_parent()


def _runtime_parent() -> Path:
    chosen = os.environ.get("PORTICO_RUNTIME_DIR")
    if chosen:
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/run/portico")
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if _is_path(session) and os.access(session, os.W_OK):
        return Path(session) / "portico"
    return Path(f"/tmp/portico-{os.geteuid()}")  # noqa: S108  run.directories takes it only when it is ours


def state_directory(directory: Path, name: str) -> Path:
    """The directory of logs and temporary files for the site in `directory`: on a disk, persistent.

    Named after the site below PORTICO_STATE_DIR.
    """
    return _state_parent() / site_key(directory, name)


def state_beside(runtime: Path) -> Path:
    """The state directory of the site with that runtime directory: both have the same name."""
    return _state_parent() / runtime.name


def _state_parent() -> Path:
    chosen = os.environ.get("PORTICO_STATE_DIR")
    if chosen:
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/portico")
    if _is_path(given := os.environ.get("XDG_STATE_HOME", "")):
        return Path(given) / "portico"
    home = _home()
    if home is None:
        return Path(f"/var/tmp/portico-{os.geteuid()}")  # noqa: S108  as in /tmp, and kept over a boot
    return home / ".local" / "state" / "portico"


def _home() -> Path | None:
    """The current user's home directory; None if there is none (HOME=/ in many containers)."""
    if _is_path(named := os.environ.get("HOME", "")) and named.strip("/"):
        return Path(named)
    try:
        entered = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return None
    return Path(entered) if entered.strip("/") and Path(entered).is_dir() else None


def _is_path(text: str) -> bool:
    """A relative path counts as none (XDG Base Directory Specification)."""
    return Path(text).is_absolute()


def site_key(directory: Path, name: str) -> str:
    """The site's directory name: readable, and different for sites of the same name elsewhere."""
    digest = hashlib.sha256(os.fsencode(directory.absolute())).hexdigest()[:6]
    return f"{name}-{digest}"


def _user() -> str:
    """The current user's name; the number if a container's user has no name."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid) if uid else "root"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _user_of(finder: Finder) -> tuple[str, str]:
    for name in finder.users:
        try:
            entry = pwd.getpwnam(name)
            return name, grp.getgrgid(entry.pw_gid).gr_name
        except KeyError:
            continue
    return "", ""


def _file_limit() -> int:
    """The hard limit: nginx raises its workers' own to it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)


def _disk(state: Path) -> int:
    """The size for the nearest existing directory: the state directory may not exist yet."""
    there = next((path for path in (state, *state.parents) if path.is_dir()), Path("/"))
    try:
        found = os.statvfs(there)
    except OSError:
        return 0
    return found.f_blocks * found.f_frsize


def _somaxconn() -> int:
    try:
        return int(Path("/proc/sys/net/core/somaxconn").read_text())
    except (OSError, ValueError):
        return socket.SOMAXCONN


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe_socket:
            probe_socket.bind(("::1", 0))
    except OSError:
        return False
    return True
