"""Prints a file for another program, or writes it into a directory."""

from __future__ import annotations

from pathlib import Path

from portico.cli import output
from portico.errors import PorticoError, Problem
from portico.plan.files import File
from portico.run.disk.write import write_files


def give(file: File, write: str | None) -> None:
    """Raises PorticoError if the directory is not writable."""
    if not write:
        output.results([line.text for line in file.lines])
        return
    directory = Path(write)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path in write_files([file], directory, is_ours=False):
            output.result(str(path))
    except OSError as error:
        raise PorticoError(
            Problem(str(error.filename or directory), f"cannot be written: {error.strerror}")
        ) from None
