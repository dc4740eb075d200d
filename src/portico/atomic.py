"""Puts a file in place whole or not at all: written beside its place, then renamed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write(path: Path, content: bytes, mode: int = 0o600, owner: tuple[int, int] | None = None) -> None:
    """No process ever reads half of it, and a secret is protected from its first byte. Raises OSError.

    `owner` is the file's user and group, if this process may set them: root may.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)  # one of an earlier run under another user would keep that owner
    made = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(made, "wb") as file:
            if owner:
                with suppress(PermissionError):
                    os.fchown(made, *owner)
            os.fchmod(made, mode)  # whatever the umask is
            file.write(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)  # of a full disk; no process with another pid would find it again
        raise
