"""Writes a plan's files to any directory."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterable
from pathlib import Path

from portico.plan.files import File


def write_files(files: Iterable[File], directory: Path, *, is_ours: bool = True) -> list[Path]:
    """Write the files below an existing directory and return the path of each. Raises OSError.

    If `is_ours` is False, the directory keeps its mode: a user chose it.
    """
    written = []
    for file in files:
        path = directory / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in {directory, path.parent}:
            if is_ours or folder != directory:
                folder.chmod(0o755)  # independent of our umask: the gateway's workers read the error pages
        path.touch(mode=0o600)  # a secret file is private from its first byte
        path.write_text(file.content, "utf-8")
        if file.group and os.geteuid() == 0:
            os.chown(path, -1, grp.getgrnam(file.group).gr_gid)
        path.chmod(file.mode)
        written.append(path)
    return written
