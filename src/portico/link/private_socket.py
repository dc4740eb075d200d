"""A unix socket that no other user can open, from its first moment on."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def bind(path: str) -> socket.socket:
    """A socket bound there with mode 0600; it replaces an existing file. Raises OSError.

    The file gets the mode that the socket has when it is bound: a chmod of the file would come too late. The umask
    would work, too, but it belongs to the whole process, and children of other threads would inherit it.
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
