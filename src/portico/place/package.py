"""The distribution's package of a binary, and the faults that the package has fixed.

The databases of dpkg and apk are read as files: it is fast, and works without the programs.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from portico.place.model import Package

_CVE = re.compile(rb"CVE-\d{4}-\d{4,}")
_MOST, _MOST_LINES = 8 << 20, 100_000
"""Bytes and lines of a changelog that are read; the newest entries come first."""


def package_of(binary: str, names: Sequence[str], root: Path = Path("/")) -> Package | None:
    """The package of that binary, None if it has none. `root` is the system's root directory.

    Its name begins with one of `names`; the first is that of the source.
    """
    paths = {binary, os.path.realpath(binary)}
    # With a merged /usr, the database may have the file's older path.
    paths |= {path.removeprefix("/usr") for path in paths if path.startswith("/usr/sbin/")}
    return _of_dpkg(paths, names, root) or _of_apk(paths, names, root) or _of_rpm(binary, root)


def _of_dpkg(paths: Iterable[str], names: Sequence[str], root: Path) -> Package | None:
    info = root / "var/lib/dpkg/info"
    wanted = {os.fsencode(path) for path in paths}
    for listed in sorted(file for start in names for file in info.glob(f"{start}*.list")):
        if wanted & set(_read(listed).split(b"\n")):
            name = listed.stem.partition(":")[0]
            version = _dpkg_version(name, root)
            changes = _changelog((name, names[0], f"{names[0]}-common"), root)
            return Package(name, version, "dpkg", _named(changes), bool(changes)) if version else None
    return None


def _dpkg_version(name: str, root: Path) -> str:
    try:
        with (root / "var/lib/dpkg/status").open("rb") as lines:  # some megabytes
            package = b""
            for line in lines:
                key, _, value = line.partition(b": ")
                package = value.strip() if key == b"Package" else package
                if key == b"Version" and package == name.encode():
                    return value.strip().decode("ascii", "replace")
    except OSError:
        pass
    return ""


def _changelog(owners: Sequence[str], root: Path) -> bytes:
    """The package's own; another package of the same source may contain it."""
    for owner in dict.fromkeys(owners):
        try:
            with gzip.open(root / "usr/share/doc" / owner / "changelog.Debian.gz") as file:
                return b"".join(islice(file, _MOST_LINES))
        except (OSError, EOFError, zlib.error):
            continue
    return b""


def _of_apk(paths: Iterable[str], names: Sequence[str], root: Path) -> Package | None:
    """Alpine's: it has no changelog."""
    wanted = {os.path.split(path) for path in paths}
    for entry in _read(root / "lib/apk/db/installed").decode("utf-8", "replace").split("\n\n"):
        if not re.search(rf"^P:(?:{'|'.join(names)})", entry, re.MULTILINE):
            continue
        folder, name, version = "", "", ""
        for line in entry.splitlines():
            key, _, value = line.partition(":")
            name, version = (value if key == "P" else name), (value if key == "V" else version)
            folder = f"/{value}" if key == "F" else folder
            if key == "R" and (folder, value) in wanted:
                return Package(name, version, "apk")
    return None


def _of_rpm(binary: str, root: Path) -> Package | None:
    program = shutil.which("rpm")
    if not program or root != Path("/"):
        return None
    query = "%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n"
    said = _said(program, "-qf", "--queryformat", query, binary).decode("utf-8", "replace").split()
    if len(said) < 2 or not said[1][:1].isdigit():
        return None
    changes = _said(program, "-q", "--changelog", said[0])
    return Package(said[0], said[1], "rpm", _named(changes), bool(changes))


def _said(*argv: str) -> bytes:
    try:
        done = subprocess.run(argv, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout[:_MOST] if done.returncode == 0 else b""


def _named(changelog: bytes) -> frozenset[str]:
    return frozenset(name.decode() for name in _CVE.findall(changelog))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
