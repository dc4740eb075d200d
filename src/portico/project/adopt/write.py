"""Writes a new file, whole or not at all; nothing that is there is changed."""

from __future__ import annotations

import os
from pathlib import Path

from portico.errors import PorticoError, Problem


def write(path: Path, text: str) -> None:
    """A new file with the owner of its directory. Raises PorticoError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        above = path.parent.stat()
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(number, "wb") as file:
            own = os.fstat(number)
            if (own.st_uid, own.st_gid) != (above.st_uid, above.st_gid) and os.geteuid() == 0:
                os.fchown(number, above.st_uid, above.st_gid)
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(number)
    except OSError as error:
        raise PorticoError(
            Problem(str(path), f"cannot be written: {error.strerror}", "name another with --output")
        ) from None
