"""A virtual environment beside the app that is not the one Portico runs in."""

from __future__ import annotations

import sys
from pathlib import Path

_NAMES = (".venv", "venv")


def unused(directory: Path, prefix: str = sys.prefix) -> str:
    """Its path; empty if there is none, or if one of them is Portico's."""
    found = [directory / name for name in _NAMES if _is_one(directory / name)]
    ours = Path(prefix).resolve()
    return "" if any(path.resolve() == ours for path in found) else next(map(str, found), "")


def _is_one(path: Path) -> bool:
    try:
        return (path / "pyvenv.cfg").is_file() and (path / "bin/python").exists()
    except OSError:
        return False
