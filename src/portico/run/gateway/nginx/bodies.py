"""The bodies that nginx has on disk at this moment: current uploads, and answers for slow clients.

nginx unlinks such a file as soon as it is open, so the directory is empty. The kernel still knows which
open files of nginx's workers were made there, and their size.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from portico.protocol.status import Bodies, BodyFiles
from portico.run.processes.proc import PROC

_ANSWERS = ("uwsgi", "proxy", "fastcgi", "scgi")


def bodies(workers: Iterable[int], temporary: str) -> Bodies:
    """Their number and their bytes so far; `workers` are nginx's, `temporary` is the directory for bodies."""
    found = [one for pid in workers for one in _open_files(pid, f"{temporary}/")]
    return Bodies(
        uploads=_sum(size for kind, size in found if kind == "client_body"),
        answers=_sum(size for kind, size in found if kind in _ANSWERS),
    )


def _sum(sizes: Iterable[int]) -> BodyFiles:
    every = list(sizes)
    return BodyFiles(len(every), sum(every))


def _open_files(pid: int, directory: str) -> Iterator[tuple[str, int]]:
    """The kind and size of each open file of the process below the directory."""
    try:
        descriptors = list((PROC / str(pid) / "fd").iterdir())
    except OSError:
        return  # it has exited, or belongs to another user
    for descriptor in descriptors:
        try:
            path = str(descriptor.readlink())
            if path.startswith(directory):
                yield Path(path).relative_to(directory).parts[0], os.stat(descriptor).st_size  # noqa: PTH116  of what was opened
        except OSError:
            pass  # closed just now
