"""Which file of the site names the app's packages, and the names in it."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from portico import DISTRIBUTION
from portico.errors import PorticoError, Problem
from portico.export.image.requirements import KINDS, Kind, Requirements
from portico.place import untrusted

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_INCLUDED = re.compile(r"(?:-r|--requirement|-c|--constraint)[ =]?\s*(\S+)")
_SAFE = re.compile(r"[A-Za-z0-9._/-]+")
_LOCAL = re.compile(r"(-e\b|--editable\b|\.{0,2}/|file:|[^#]*@ *file:)")
_OURS = {
    "portico": "it names portico, and on PyPI that is somebody else's package",
    DISTRIBUTION: f"it names {DISTRIBUTION}, which is on no index yet",
}
"""Names by which a list may mean Portico, and why an image cannot install it by them."""


def found(directory: Path) -> Requirements:
    """Raises PorticoError if there is none, or the image could not install from it."""
    kind = next((one for one in KINDS if all((directory / file).is_file() for file in one.files)), None)
    if kind is None:
        what = "no file here says which packages the app needs"
        hint = f"make one: pip freeze --exclude {DISTRIBUTION} > {directory}/requirements.txt"
        raise PorticoError(Problem(str(directory), what, hint))
    files = list(kind.files)
    if kind.files[0].endswith(".txt"):
        files = list(dict.fromkeys(_with_included(directory, kind.files[0])))
    named = names(directory, Requirements(kind, tuple(files))) if kind.tool != "uv" else ()
    for what in (_OURS[one] for one in _OURS if one in named):
        hint = "remove it from the file: the image installs Portico from the wheel that the export writes"
        raise PorticoError(Problem(str(directory / files[0]), what, hint))
    return Requirements(kind, tuple(files))


def names(directory: Path, requirements: Requirements) -> frozenset[str]:
    """The normalised names of the packages in these files."""
    first = requirements.files[0]
    try:
        if not first.endswith(".txt"):
            return frozenset(map(normalised, _of_lock(requirements.kind, _text(directory, first))))
        lines = [line for file in requirements.files for _, line in _lines(directory, file)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PorticoError(Problem(str(directory / first), f"cannot be read: {error}")) from None
    return frozenset(normalised(match[0]) for line in lines if (match := _NAME.match(line)))


def normalised(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


def _of_lock(kind: Kind, text: str) -> Iterator[str]:
    if kind.files[0] == "Pipfile.lock":
        yield from json.loads(text).get("default", {})
        return
    read = tomllib.loads(text)
    if kind.files[0] == "pyproject.toml":
        for one in read.get("project", {}).get("dependencies", ()):
            if match := _NAME.match(one):
                yield match[0]
        return
    yield from (one["name"] for one in read.get("package", ()))


def _with_included(directory: Path, file: str, seen: set[str] | None = None) -> Iterator[str]:
    """The file, and those that its lines name, as paths below the directory, each once."""
    seen = set() if seen is None else seen
    seen.add(file)
    yield file
    for number, line in _lines(directory, file):
        where = f"{directory / file}:{number}"
        if _LOCAL.match(line):
            what = f"'{line}' installs from a directory or a file of this machine"
            hint = "remove the line: code below the site's directory is copied into the image and imported from there"
            raise PorticoError(Problem(where, what, hint))
        if not (match := _INCLUDED.fullmatch(line)):
            continue
        other = _below(directory, file, match[1], where)
        if other not in seen:
            yield from _with_included(directory, other, seen)


def _below(directory: Path, file: str, name: str, where: str) -> str:
    top = directory.resolve()
    path = (directory / file).parent.joinpath(name).resolve()
    if not path.is_relative_to(top) or not path.is_file() or not _SAFE.fullmatch(str(path.relative_to(top))):
        what = f"'{name}' is no file below {directory}, or has letters that a Dockerfile would replace"
        raise PorticoError(Problem(where, what, "move it there, and use letters, digits, '.', '_' and '-'"))
    return str(path.relative_to(top))


def _text(directory: Path, file: str) -> str:
    """The content. The site's directory may be the app's user's, who may put a link there, and this may run as root:
    no link leads out of the directory. Raises PorticoError.
    """
    top = directory.resolve()
    try:
        real = (directory / file).resolve()
        if not real.is_relative_to(top):
            raise OSError(f"it is a link that leads out of {directory}")
        inside = str(real.relative_to(top))
        with (
            untrusted.folder(top) as below,
            untrusted.file(below, inside, os.O_RDONLY) as number,
            open(number, "rb", closefd=False) as found,
        ):
            content = found.read(untrusted.LONGEST + 1)
        if len(content) > untrusted.LONGEST:
            raise OSError("it is too long for a list of packages")
        return content.decode()
    except (OSError, ValueError) as error:
        hint = "expected an ordinary text file below the site's directory"
        raise PorticoError(Problem(str(directory / file), f"cannot be read: {error}", hint)) from None


def _lines(directory: Path, file: str) -> Iterator[tuple[int, str]]:
    """Lines with content, without comments, and their numbers."""
    for number, line in enumerate(_text(directory, file).splitlines(), 1):
        if text := re.sub(r"(^|\s)#.*", "", line).strip():
            yield number, text
