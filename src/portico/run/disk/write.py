"""Writes a plan's files to any directory."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from portico.place import untrusted
from portico.plan.files import File


def write_files(files: Iterable[File], directory: Path) -> None:
    """Write the files below a directory of Portico's own. Raises OSError."""
    for file in files:
        path = directory / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in {directory, path.parent}:
            folder.chmod(0o755)  # independent of our umask: the gateway's workers read the error pages
        path.touch(mode=0o600)  # a secret file is private from its first byte
        path.write_text(file.content, "utf-8")
        if file.group and os.geteuid() == 0:
            os.chown(path, -1, grp.getgrnam(file.group).gr_gid)
        path.chmod(file.mode)


def write_for_user(files: Iterable[File], directory: Path, *, replaces: bool = False) -> Iterator[Path]:
    """Write the files below an existing directory that the user chose, and give the path of each. Raises OSError.

    This may be root, and the directory the app's user's: no link below it is followed, and without `replaces` no file
    that is there is touched.
    """
    with untrusted.folder(directory.resolve()) as top:
        for file in files:
            _make_folders(top, PurePosixPath(file.path).parent)
            _write(top, file.path, file.content.encode(), file.mode, file.group, replaces=replaces)
            yield directory / file.path


def write_bytes(contents: Mapping[str, bytes], directory: Path) -> Iterator[Path]:
    """The same for contents by name."""
    with untrusted.folder(directory.resolve()) as top:
        for name, content in contents.items():
            _write(top, name, content, 0o644)
            yield directory / name


def write_private(name: str, content: bytes, directory: Path, owner: int | None) -> None:
    """The same for one file that its owner alone may read, from its first byte. `owner` is a uid, None for ours."""
    with (
        untrusted.folder(directory.resolve()) as top,
        untrusted.file(top, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as number,
        open(number, "wb", closefd=False) as out,
    ):
        try:
            os.fchmod(number, 0o600)
            out.write(content)
            out.flush()
            if owner is not None:
                os.fchown(number, owner, -1)
        except OSError:
            os.unlink(name, dir_fd=top)  # half of a secret is none
            raise


def _write(
    top: int, name: str, content: bytes, mode: int, group: str = "", *, replaces: bool = False
) -> None:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if replaces else os.O_EXCL)
    with untrusted.file(top, name, flags) as number, open(number, "wb", closefd=False) as out:
        out.write(content)
        if group and os.geteuid() == 0:
            os.fchown(number, -1, grp.getgrnam(group).gr_gid)
        os.fchmod(number, mode)


def _make_folders(top: int, path: PurePosixPath) -> None:
    for folder in [*reversed(path.parents), path][1:]:
        above = str(folder.parent)
        if above == ".":
            _make(folder.name, top)
        else:
            with untrusted.folder(above, top) as number:
                _make(folder.name, number)


def _make(name: str, below: int) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=below)
    except FileExistsError:
        return
    with untrusted.folder(name, below) as number:
        os.fchmod(number, 0o755)
