"""A site of another user than the one who started Portico: who, with which Python, and where its directories are."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from portico.place.access import blocked
from tests.support import ROOT, Served

USER = "games"
"""Every Debian has it, and nobody is it."""


ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an app as somebody else")


def python() -> str:
    """A Python of this version that other users can run, with everything this one has."""
    wanted = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in (sys.executable, shutil.which(wanted, path="/usr/local/bin:/usr/bin")):
        if found and not blocked(str(Path(found).resolve()), USER):
            return found
    pytest.skip(f"no {wanted} that other users can run")


def paths(home: Path) -> dict[str, str]:
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    return {
        "PORTICO_USER": "", "PORTICO_RUNTIME_DIR": str(home / "run"), "PORTICO_STATE_DIR": str(home / "state"),
        "PYTHONPATH": f"{ROOT / 'src'}:{packages}", "HOME": str(home),
    }  # fmt: skip


def as_user(*words: str) -> subprocess.CompletedProcess[str]:
    entry = pwd.getpwnam(USER)
    return subprocess.run(
        words,
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )


def places(run: Served) -> tuple[Path, Path]:
    home = run.directory.parent
    (runtime,) = (home / "run").iterdir()
    (state,) = (
        path
        for path in (home / "state").iterdir()
        if path.name != "local-ca" and path.suffix not in (".uploads", ".app")
    )
    return runtime, state
