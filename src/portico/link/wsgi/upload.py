"""An upload as a file: the one that nginx wrote, or one of ours where the app may not read nginx's.

nginx's files are 0600 and its own, and nothing in its configuration changes that. So an app that runs as another user
than nginx's workers gets a file of its own, in a directory of its own: the same to the app, one copy more of the bytes.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from portico.link.uwsgi import BadPacketError
from portico.link.wsgi.request import Environ

_WHERE: Final = "PORTICO_UPLOAD"
"""A file, or with a slash at its end the directory where we write one."""
_PIECE: Final = 1 << 18
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
_swept = set[str]()


class NoRoomError(Exception):
    """The disk has no place for an upload."""


def is_nginx_s(environ: Environ) -> bool:
    """Whether nginx has the body of this request in a file that we may read."""
    return not environ.get(_WHERE, "/").endswith("/")


def of_nginx(environ: Environ, length: int) -> Environ:
    """The environ of a request whose body nginx has in a file. BadPacketError when that is not all of it."""
    path = environ["portico.upload"] = environ.pop(_WHERE)
    try:
        file = open(path, "rb")  # noqa: SIM115, PTH123  the app reads it, and it closes with the environ
        size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise BadPacketError(f"the file of an upload cannot be opened: {error}") from None
    if size != length:
        raise BadPacketError(f"the file of an upload has {size} bytes, expected {length}")
    environ["wsgi.input"] = file
    return environ


def of_ours(environ: Environ) -> Path | None:
    """Write the body to a file of ours and give it to the app; None for a request that wants none.

    Whoever calls removes it. Raises NoRoomError, any other OSError, and what reading the body raises.
    """
    directory = environ.pop(_WHERE, "")
    if not directory or not environ.get("CONTENT_LENGTH", "0").strip("0"):
        return None
    _sweep(directory)
    made = Path()
    try:
        number, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", dir=directory)
        made = Path(name)
        with os.fdopen(number, "wb") as file:
            shutil.copyfileobj(environ["wsgi.input"], file, _PIECE)
        environ["wsgi.input"] = made.open("rb")
    except BaseException as error:
        if made.name:
            made.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise NoRoomError(f"{directory}: {error.strerror}") from None
        raise
    environ["portico.upload"] = str(made)
    return made


def _sweep(directory: str) -> None:
    """Remove what workers left that were killed; once a process."""
    if directory in _swept:
        return
    _swept.add(directory)
    for path in Path(directory).iterdir():
        pid = path.name.partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with suppress(OSError):
                path.unlink()
