"""An upload as a file: the one that nginx wrote, or one of the worker's if the app may not read nginx's.

nginx's files have mode 0600 and belong to nginx's user, and no directive changes that. So an app that runs as
another user than nginx's workers gets a file of its own, in a directory of its own: the same for the app, at the
cost of one more copy.
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
"""A file, or with a trailing slash the directory for the worker's own."""
_PIECE: Final = 1 << 18
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
_swept = set[str]()


class NoRoomError(Exception):
    """The disk has no room for an upload."""


def is_nginx_s(environ: Environ) -> bool:
    """Whether nginx has the request's body in a file that the worker may read."""
    return not environ.get(_WHERE, "/").endswith("/")


def of_nginx(environ: Environ, length: int) -> Environ:
    """The environ of a request whose body nginx has in a file. BadPacketError if the file is incomplete."""
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
    """Writes the body to a file and gives it to the app; None for a request that wants none.

    The caller removes it. Raises NoRoomError, any other OSError, and errors from reading the body.
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
    """Removes files of killed workers; once a process."""
    if directory in _swept:
        return
    _swept.add(directory)
    for path in Path(directory).iterdir():
        pid = path.name.partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with suppress(OSError):
                path.unlink()
