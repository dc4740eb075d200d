"""Prints a file for another program, or writes it into a directory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from portico.cli import output
from portico.errors import PorticoError, Problem
from portico.plan.files import File
from portico.run.disk.write import write_bytes, write_for_user, write_private


def give(file: File, write: str | None) -> None:
    """Raises PorticoError if the directory is not writable."""
    if not write:
        output.results([line.text for line in file.lines])
        return
    _write([file], Path(write), {}, replaces=True)


def write_new(files: Sequence[File], directory: Path, others: Mapping[str, bytes]) -> None:
    """Writes files that are not there yet, and `others` by name. Raises PorticoError, before it writes, if one is."""
    if taken := next(
        (name for name in (*(one.path for one in files), *others) if os.path.lexists(directory / name)), None
    ):
        what = f"{taken} is there already, and you may have changed it"
        raise PorticoError(Problem(str(directory), what, "remove it, or write into another directory"))
    _write(files, directory, others)


def write_secret(file: Path, content: str, owner: int | None) -> None:
    """Writes a file that is not there yet, for its owner alone. Raises PorticoError."""
    try:
        write_private(file.name, content.encode(), file.parent, owner)
    except OSError as error:
        raise PorticoError(Problem(str(file), f"cannot be written: {error.strerror}")) from None
    output.result(str(file))


def _write(
    files: Sequence[File], directory: Path, others: Mapping[str, bytes], *, replaces: bool = False
) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path in write_for_user(files, directory, replaces=replaces):
            output.result(str(path))
        for path in write_bytes(others, directory):
            output.result(str(path))
    except OSError as error:
        raise PorticoError(
            Problem(str(error.filename or directory), f"cannot be written: {error.strerror}")
        ) from None
