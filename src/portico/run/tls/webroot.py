"""The directory for certbot's challenge files: only Portico's user may write there.

certbot writes as root: a link by another user would redirect it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from portico.errors import PorticoError, Problem
from portico.plan.web.entry.tls import CHALLENGE

_OTHERS_WRITE = 0o022


def make(challenges: str) -> Path:
    """The directory of the challenges, made if missing. Raises PorticoError if others may write, OSError."""
    top = Path(challenges)
    _refuse_foreign(top)
    here = top
    for part in CHALLENGE.strip("/").split("/"):
        here = here / part
        here.mkdir(mode=0o755, exist_ok=True)
        _refuse_foreign(here)
        here.chmod(0o755)  # The gateway's user reads it, whatever our umask is
    return here


def _refuse_foreign(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise PorticoError(Problem(str(folder), "is not a directory", "remove it: Portico makes a new one"))
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
        what = "can be changed by another user, who could redirect certbot"
        raise PorticoError(Problem(str(folder), what, "remove it: Portico makes a new one"))
