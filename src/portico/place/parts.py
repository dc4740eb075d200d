"""What Portico is made of on this machine: each program and package by its version and its place."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from msgspec import Struct

import portico
from portico.app_servers.kinds import KINDS
from portico.place.gateway.finders import FINDERS

_VERSION = re.compile(r"version: \S+?/([\d.]+)")
_SECONDS = 5
_OTHERS = ("uvloop",)
"""Packages that a worker takes where they are installed."""


class Part(Struct, frozen=True):
    """A part that is there; `version` is empty if its program did not say it."""

    name: str
    version: str
    where: str


def parts() -> tuple[Part, ...]:
    """Portico first, then Python, the web servers, the app servers and what their workers use."""
    return tuple(_parts())


def _parts() -> Iterator[Part]:
    asked = [
        (name, where, _asked(path))
        for finder in FINDERS
        for name, path, where in finder.programs()
    ]  # fmt: skip
    yield Part("portico", portico.__version__, str(Path(portico.__file__).parent))
    yield Part("python", platform.python_version(), sys.executable)
    for name, where, process in asked:
        yield Part(name, _said(process), where)
    for package in dict.fromkeys([*(kind.package for kind in KINDS), *_OTHERS]):
        yield from _package(package)


def _asked(path: str) -> subprocess.Popen[str] | None:
    """It is asked while others are."""
    try:
        return subprocess.Popen(
            [path, "-v"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        )  # fmt: skip
    except OSError:
        return None


def _said(process: subprocess.Popen[str] | None) -> str:
    if process is None:
        return ""
    try:
        text, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
    found = _VERSION.search(text)
    return found[1] if found else ""


def _package(name: str) -> Iterator[Part]:
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return
    yield Part(name, found.version, str(found.locate_file("")))
