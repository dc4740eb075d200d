"""Changes of files that others may own: no link is followed on the whole way, and a file is replaced whole or not."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from portico.place.untrusted import file, folder, remove

_LONGEST = 1 << 20


def without_rights(path: Path, bits: int, owners: frozenset[int]) -> None:
    """Take rights away from a file or folder of one of these users. Raises OSError."""
    with _above(path) as above, _opened(above, path.name) as number:
        found = os.fstat(number)
        if found.st_uid not in owners:
            raise PermissionError(errno.EPERM, "it belongs to another user", str(path))
        if not stat.S_ISDIR(found.st_mode) and found.st_nlink > 1:
            raise PermissionError(errno.EPERM, "it has another name, too, perhaps elsewhere", str(path))
        if found.st_mode & stat.S_ISVTX:
            raise PermissionError(errno.EPERM, "it is a folder for everybody", str(path))
        os.fchmod(number, found.st_mode & 0o7777 & ~bits)


def replace(path: Path, before: bytes, after: bytes, owners: frozenset[int]) -> None:
    """Put `after` in place of `before`, with the same owner and mode; a file that is new is of its folder's owner.

    Raises OSError; the old file is as it was then.
    """
    with _above(path) as above:
        found, mode, content = os.fstat(above), 0o644, b""
        with suppress(FileNotFoundError), file(above, path.name, os.O_RDONLY) as number:
            found = os.fstat(number)
            mode, content = found.st_mode & 0o7777, os.read(number, _LONGEST)
        _refuse(found, owners, path)
        if content != before:
            raise OSError(errno.ESTALE, "it has changed meanwhile", str(path))
        _put(above, path.name, after, mode, found)


def refuse_foreign(path: Path, owners: frozenset[int]) -> None:
    """Raises OSError if `replace` would: for a file of another user, or a link on the way."""
    with _above(path) as above:
        found = os.fstat(above)
        with suppress(FileNotFoundError), file(above, path.name, os.O_RDONLY) as number:
            found = os.fstat(number)
        _refuse(found, owners, path)


def _refuse(found: os.stat_result, owners: frozenset[int], path: Path) -> None:
    if found.st_uid not in owners:
        raise PermissionError(errno.EPERM, "it belongs to another user", str(path))


def second_name(path: Path, name: str) -> None:
    """Give the file another name beside its own, so that it stays when `replace` puts another in its place.

    Raises OSError, also if there is such a name.
    """
    with _above(path) as above, file(above, path.name, os.O_RDONLY):
        os.link(path.name, name, src_dir_fd=above, dst_dir_fd=above, follow_symlinks=False)


def without_second_name(path: Path, name: str) -> None:
    """Takes that name away again. Raises OSError."""
    with _above(path) as above:
        remove(above, name)


def _put(above: int, name: str, content: bytes, mode: int, like: os.stat_result) -> None:
    draft = f".{name}.{os.getpid()}"
    made = os.open(
        draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=above
    )
    try:
        with os.fdopen(made, "wb") as written:
            own = os.fstat(made)
            if (own.st_uid, own.st_gid) != (like.st_uid, like.st_gid):
                os.fchown(made, like.st_uid, like.st_gid)
            os.fchmod(made, mode)
            written.write(content)
            written.flush()
            os.fsync(made)
        os.rename(draft, name, src_dir_fd=above, dst_dir_fd=above)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=above)
        raise


@contextmanager
def _above(path: Path) -> Iterator[int]:
    """The open folder that holds it."""
    with folder("/") as top:
        if path.parent == Path("/"):
            yield top
            return
        with folder(str(path.parent).lstrip("/"), top) as number:
            yield number


def _opened(above: int, name: str) -> AbstractContextManager[int]:
    is_folder = stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode)
    return folder(name, above) if is_folder else file(above, name, os.O_RDONLY)
