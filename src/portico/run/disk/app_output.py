"""Appends output of the app's background processes to app.log, as `link/app_output` does for its workers."""

from __future__ import annotations

import json
import os
import pwd
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from portico.place import untrusted

_LONGEST = 1 << 16
"""Characters of one entry."""


def append(path: str, user: str, pid: int, text: str) -> None:
    """One entry that belongs to no request. `user` is the app's, empty for ours: the directory is that user's, so
    neither a link nor another user's file is written to. A full disk or a missing directory loses the entry.
    """
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "id": "",
        "pid": pid,
        "stream": "stdout",
        "text": text[:_LONGEST],
    }
    line = json.dumps(entry).encode() + b"\n"
    place = Path(path)
    with suppress(OSError, KeyError):
        owner = pwd.getpwnam(user) if user else None
        uid = os.geteuid() if owner is None else owner.pw_uid
        with untrusted.folder(place.parent) as top:
            if owner is not None:
                with suppress(FileExistsError):
                    _make(top, place.name, owner)
            flags = os.O_WRONLY | os.O_APPEND | (os.O_CREAT if owner is None else 0)
            with untrusted.file(top, place.name, flags, owner=uid) as number:
                os.write(number, line)


def _make(top: int, name: str, owner: pwd.struct_passwd) -> None:
    """An empty file of the app's user, whose workers write to it, too."""
    with untrusted.file(top, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as number:
        os.fchown(number, owner.pw_uid, owner.pw_gid)
        os.fchmod(number, 0o640)
