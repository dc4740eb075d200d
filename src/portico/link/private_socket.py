"""A unix socket that nobody else can open, from its first moment on."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def bind(path: str) -> socket.socket:
    """A socket bound there, 0600, in the place of whatever lay there. Raises OSError.

    The file takes the mode that the socket has when it is bound: a chmod of the file would come too late. The umask
    would do as well, but it is the whole process's, and what another thread starts meanwhile would inherit it.
    """
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(path)
    except OSError:
        listener.close()
        raise
    return listener
