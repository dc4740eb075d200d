"""The file of an upload: nginx's own, or one of the worker's if the app may not read nginx's.

nginx's files have mode 0600 and belong to nginx's user, and no directive changes that. So an app that runs as
another user than nginx's workers gets a file of its own, in a directory of its own: the same for the app, at the
cost of one more copy.
"""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from portico.link.uwsgi import BadPacketError

VARIABLE: Final = "PORTICO_UPLOAD"
"""nginx's variable: a file, or with a trailing slash the directory for the worker's own."""
NAME: Final = "portico.upload"
"""Where the app finds the path: in its environ, or among the extensions of its scope."""
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
_swept = set[str]()


class NoRoomError(Exception):
    """The disk has no room for an upload."""


def open_whole(path: str | bytes, length: int) -> int:
    """A descriptor of nginx's file. BadPacketError if it is not there, or not `length` bytes long."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BadPacketError(f"the file of an upload cannot be opened: {error}") from None
    size = os.fstat(descriptor).st_size
    if size != length:
        os.close(descriptor)
        raise BadPacketError(f"the file of an upload has {size} bytes, expected {length}")
    return descriptor


def make(directory: str) -> tuple[int, Path]:
    """A new file of the worker's own: its descriptor and its path. NoRoomError, or another OSError."""
    _sweep(directory)
    try:
        number, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", dir=directory)
    except OSError as error:
        raise no_room(error, directory) from None
    return number, Path(name)


def no_room(error: OSError, directory: str) -> Exception:
    """NoRoomError if it says that the disk is full; else the error itself."""
    return NoRoomError(f"{directory}: {error.strerror}") if error.errno in _NO_ROOM else error


def _sweep(directory: str) -> None:
    """Removes files of killed workers; once a process."""
    if directory in _swept:
        return
    _swept.add(directory)
    for path in Path(directory).iterdir():
        pid = path.name.partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with suppress(OSError):
                path.unlink()
