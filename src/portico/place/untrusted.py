"""Files and directories that other users can write to: the app's own user, nginx's, another Portico's.

No link is followed, no call blocks (a FIFO), only ordinary files are opened, and a name never leads out of the
given directory: its owner may put anything there, at any moment.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TypeVar

from portico.decoding import decoded

T = TypeVar("T")

LONGEST = 1 << 22
"""The most bytes that are read of one."""
_LONGEST_OWN = 1 << 24
_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | _NO_LINK
_PASSED = os.O_PATH | os.O_DIRECTORY | _NO_LINK
"""For a directory on the way, which need only be traversable."""
_MOST_REMOVED = 10_000_000
"""The limit of rounds, because its owner may keep adding entries."""


def opened(path: str, flags: int) -> int:
    """An opener for `open`. Raises OSError, also for a file that is not ordinary."""
    return _ordinary(os.open(path, flags | _NO_LINK | os.O_NONBLOCK), path)


def unblocked(path: str, flags: int) -> int:
    """The same if a link may be trusted, and its target may not."""
    return _ordinary(os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK), path)


def content(path: Path | str, longest: int = LONGEST, owner: int | None = None) -> bytes:
    """The whole content. Raises OSError, also for a longer file, or with `owner` for another user's."""
    with open(path, "rb", opener=opened) as file:
        found = file.read(longest + 1)
        if len(found) > longest:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        if owner is not None and os.fstat(file.fileno()).st_uid != owner:
            raise OSError(errno.EPERM, "it belongs to another user", str(path))
        return found


def read_json(path: Path | str, kind: type[T], longest: int = LONGEST) -> T:
    """The file's JSON. Raises OSError and ValueError, whatever is wrong with it."""
    return decoded(content(path, longest), kind)


def own(path: Path | str, kind: type[T]) -> T:
    """The JSON of a file that Portico wrote itself: root trusts no other user's file about what to end or serve."""
    return decoded(content(path, _LONGEST_OWN, os.geteuid()), kind)


def files(directory: Path | str, most: int) -> list[tuple[Path, os.stat_result]]:
    """Its entries, each with its status; only some if there are too many. Empty if there is no such directory."""
    found = list[tuple[Path, os.stat_result]]()
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in islice(entries, most):
            with suppress(OSError):
                found.append((Path(entry.path), entry.stat(follow_symlinks=False)))
    return found


def behind_hole(number: int, offset: int) -> int:
    """The end of the hole that begins there, else the offset itself: a terabyte may be a single hole."""
    before = os.lseek(number, 0, os.SEEK_CUR)
    try:
        return os.lseek(number, offset, os.SEEK_DATA)
    except OSError as error:
        return max(offset, os.fstat(number).st_size) if error.errno == errno.ENXIO else offset
    finally:
        os.lseek(number, before, os.SEEK_SET)


@contextmanager
def folder(path: Path | str, below: int | None = None) -> Iterator[int]:
    """The open directory at that path; with `below`, a path in that open directory. Raises OSError.

    Without `below` only the last component must not be a link: the directories above are trusted.
    """
    number = os.open(path, _FOLDER) if below is None else _walk(below, _steps(str(path)), _FOLDER)
    try:
        yield number
    finally:
        os.close(number)


@contextmanager
def file(below: int, name: str, flags: int, owner: int | None = None) -> Iterator[int]:
    """The open file with that name in an open directory; the name may contain slashes. Raises OSError.

    With `owner` it must belong to that uid and have no other name (as a hard link to another user's file would).
    """
    *steps, last = _steps(name)
    above = _walk(below, steps)
    try:
        number = _ordinary(os.open(last, flags | _NO_LINK | os.O_NONBLOCK, 0o600, dir_fd=above), name)
    finally:
        os.close(above)
    try:
        found = os.fstat(number)
        if owner is not None and (found.st_uid != owner or found.st_nlink != 1):
            raise OSError(f"{name} belongs to another user")
        yield number
    finally:
        os.close(number)


@contextmanager
def straight(path: str) -> Iterator[int]:
    """An ordinary file, opened for reading by a path without any link. Raises OSError."""
    top = os.open("/", _FOLDER)
    try:
        with file(top, path.lstrip("/"), os.O_RDONLY) as number:
            yield number
    finally:
        os.close(top)


def remove(below: int, name: str) -> None:
    """Removes that name from an open directory, if it exists. Raises OSError."""
    *steps, last = _steps(name)
    try:
        above = _walk(below, steps)
    except FileNotFoundError:
        return
    try:
        os.unlink(last, dir_fd=above)
    except FileNotFoundError:
        pass
    finally:
        os.close(above)


def remove_tree(path: Path | str) -> None:
    """Removes a directory with its whole content, or a link in its place.

    What cannot be removed stays. The parent directory must be trusted.
    """
    try:
        with folder(path) as own:
            _empty(own)
        Path(path).rmdir()
    except NotADirectoryError:  # a link, or a file
        with suppress(OSError):
            Path(path).unlink()
    except OSError:
        pass  # it is gone, or its owner keeps adding entries


def _empty(own: int) -> None:
    """Nested directories are moved into their parent, so that no depth is a problem."""
    moved = 0
    while (names := names_in(own)) and moved < _MOST_REMOVED:
        for name in names:
            moved += 1
            if not _is_folder(own, name):
                os.unlink(name, dir_fd=own)
                continue
            with folder(name, own) as inner:
                for each in names_in(inner):
                    moved += 1
                    if _is_folder(inner, each):
                        os.rename(each, f".gone-{os.getpid()}-{moved}", src_dir_fd=inner, dst_dir_fd=own)
                    else:
                        os.unlink(each, dir_fd=inner)
            os.rmdir(name, dir_fd=own)


def names_in(own: int) -> list[str]:
    """The names in an open directory."""
    return os.listdir(own)


def _is_folder(below: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=below, follow_symlinks=False).st_mode)


def _steps(name: str) -> list[str]:
    steps = name.split("/")
    if any(step in ("", ".", "..") for step in steps):
        raise OSError(f"{name!r} is not a plain path")
    return steps


def _walk(below: int, steps: list[str], last: int = _PASSED) -> int:
    """The last directory of these, opened with these flags."""
    number = os.dup(below)
    for count, step in enumerate(steps, 1):
        above = number
        try:
            number = os.open(step, last if count == len(steps) else _PASSED, dir_fd=above)
        finally:
            os.close(above)
    return number


def _ordinary(number: int, name: str) -> int:
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(f"{name} is not an ordinary file")
    return number
