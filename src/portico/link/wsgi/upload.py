"""An upload as a file: its path in the environ, and the file itself as the body."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Final

from portico.link.upload import NAME, VARIABLE, make, no_room, open_whole
from portico.link.wsgi.request import Environ

_PIECE: Final = 1 << 18


def is_nginx_s(environ: Environ) -> bool:
    """Whether nginx has the request's body in a file that the worker may read."""
    return not environ.get(VARIABLE, "/").endswith("/")


def of_nginx(environ: Environ, length: int) -> Environ:
    """The environ of a request whose body nginx has in a file. BadPacketError if the file is incomplete."""
    path = environ[NAME] = environ.pop(VARIABLE)
    environ["wsgi.input"] = io.BufferedReader(io.FileIO(path, opener=lambda *_: open_whole(path, length)))
    return environ


def of_ours(environ: Environ) -> Path | None:
    """Writes the body to a file and gives it to the app; None for a request that wants none.

    The caller removes it. Raises NoRoomError, any other OSError, and errors from reading the body.
    """
    directory = environ.pop(VARIABLE, "")
    if not directory or not environ.get("CONTENT_LENGTH", "0").strip("0"):
        return None
    number, made = make(directory)
    try:
        with os.fdopen(number, "wb") as file:
            shutil.copyfileobj(environ["wsgi.input"], file, _PIECE)
        environ["wsgi.input"] = made.open("rb")
    except BaseException as error:
        made.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise no_room(error, directory) from None
        raise
    environ[NAME] = str(made)
    return made
