"""Which Apache httpd there is: the installed one, or a named one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from portico.errors import Problem, UsageError
from portico.place.gateway.finder import Builds, Finder
from portico.place.model import Build
from portico.place.package import package_of

_NAMES = ("apache2", "httpd")
"""Debian's name of the program, and everybody else's."""
_PACKAGES = ("apache2-bin", "httpd-core", "httpd", "apache2")
_SBIN = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/local/apache2/bin", "/opt/homebrew/bin")
_LIBRARIES = ("lib/apache2/modules", "lib64/httpd/modules", "lib/httpd/modules", "modules")
"""Where distributions put the modules, from the directory above the program's."""
_EXPECTED = 'expected "auto", "system" or the path of an Apache httpd binary (apache2, httpd)'
_INSTALL = "install it: apt install apache2-bin"
NEEDED = (
    "mpm_event", "authz_core", "alias", "headers", "mime", "dir", "filter", "rewrite", "setenvif", "unique_id",
    "reqtimeout", "proxy", "proxy_uwsgi", "proxy_http", "proxy_balancer", "lbmethod_byrequests", "slotmem_shm",
    "include", "remoteip", "asis",
)  # fmt: skip
"""The modules without which no site can be served."""


def found(choice: str) -> Builds:
    """The one build that a choice means. Raises UsageError without it."""
    return Builds(find_httpd(choice))


def find_httpd(choice: str) -> Build:
    """The binary that `choice` means, with its version and modules. Raises UsageError."""
    if choice in ("auto", "system"):
        return _build(_system(), "system")
    path = shutil.which(Path(choice).expanduser())
    if not path:
        raise UsageError(Problem("apache", f'"{choice}" is not a program', _EXPECTED))
    installed = _installed()
    is_system = installed and os.path.realpath(path) == os.path.realpath(installed)
    return _build(str(Path(path).absolute()), "system" if is_system else "path")


def programs() -> Iterator[tuple[str, str, str]]:
    """The installed one."""
    if path := _installed():
        yield "httpd", path, path


def _installed() -> str:
    places = (None, os.pathsep.join(_SBIN))
    found = (shutil.which(name, path=place) for place in places for name in _NAMES)
    return next(filter(None, found), "")


def _system() -> str:
    if path := _installed():
        return path
    raise UsageError(Problem("apache", "no Apache httpd is installed on this system", _INSTALL))


def _build(path: str, origin: str) -> Build:
    said = _said(path, "-v")
    version = re.search(r"Server version: \S+?/(\d+)\.(\d+)\.(\d+)", said)
    if not version:
        raise UsageError(Problem(path, "is not Apache httpd", _EXPECTED, said[:500]))
    modules = frozenset(re.findall(r"^ +(?:mod_)?(\w+)\.c$", _said(path, "-l"), re.MULTILINE))
    loadable = _loadable(path)
    _refuse_incomplete(path, modules, loadable)
    return Build(
        "apache",
        path,
        tuple(map(int, version.groups())),
        modules,
        origin,
        loadable,
        package=package_of(path, _PACKAGES),
    )


def _said(path: str, word: str) -> str:
    """What it says of itself, without its configuration: `-V` would read the system's."""
    try:
        done = subprocess.run(
            [path, word], capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            Problem(path, f"could not be run: {error}", "name a working Apache httpd binary")
        ) from None
    return done.stdout + done.stderr


def _loadable(path: str) -> dict[str, str]:
    """Every module in its directory, by name: `proxy_uwsgi` to its file."""
    above = Path(os.path.realpath(path)).parent.parent
    for name in _LIBRARIES:
        if (above / name).is_dir():
            files = sorted((above / name).glob("mod_*.so"))
            return {file.name.removeprefix("mod_").removesuffix(".so"): str(file) for file in files}
    return {}


def _refuse_incomplete(path: str, modules: frozenset[str], loadable: dict[str, str]) -> None:
    missing = [name for name in NEEDED if name not in modules and name not in loadable]
    if not missing:
        return
    names = ", ".join(f"mod_{name}" for name in missing)
    what = f"has no module {names}" if len(missing) == 1 else f"lacks modules: {names}"
    raise UsageError(Problem(path, what, "Debian's has them: apt install apache2-bin"))


HTTPD = Finder(
    program="apache",
    found=found,
    programs=programs,
    variable="PORTICO_APACHE",
    # Debian's, Red Hat's, the one of the sources, and the one every system has.
    users=("www-data", "apache", "daemon", "nobody"),
    # Names for its configuration; sockets of systemd, which it cannot take.
    decided_by=("APACHE_ARGUMENTS", "APACHE_CONFDIR", "LISTEN_FDS", "LISTEN_PID"),
)
