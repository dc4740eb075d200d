"""Starts a module of Portico's in the app's own environment: `python -P start.py PATH MODULE ARGUMENTS`.

PATH has the directories of Portico's packages. Of those, the app's interpreter finds only what a worker needs: Portico
and Gunicorn, always Portico's own, and two packages if the app's environment lacks them. A child that multiprocessing
spawns runs this file, too, as `__mp_main__`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Collection, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from typing import Final

OWN: Final = frozenset({"portico", "gunicorn"})
"""Portico's version is used: the private parts of Gunicorn that it uses are those of that version."""
SPARE: Final = frozenset({"packaging", "websockets"})
"""The app may use another version in the same process: its own comes first."""
VARIABLE: Final = "PORTICO_PACKAGES"


class Packages:
    """Finds these packages in these directories, and no other module."""

    def __init__(self, names: Collection[str], directories: Sequence[str]) -> None:
        self._names, self._directories = names, directories

    def find_spec(self, name: str, _path: object = None, _target: object = None, /) -> ModuleSpec | None:
        return PathFinder.find_spec(name, self._directories) if name in self._names else None


def prepare(directories: Sequence[str]) -> None:
    sys.meta_path.insert(0, Packages(OWN, directories))
    sys.meta_path.append(Packages(SPARE, directories))


def main() -> None:
    name = sys.argv[2]
    sys.argv = [name, *sys.argv[3:]]
    importlib.import_module(name).main()


if __name__ == "__main__":
    os.environ[VARIABLE] = sys.argv[1]  # multiprocessing gives its children other arguments
if __name__ in ("__main__", "__mp_main__"):
    prepare(os.environ[VARIABLE].split(os.pathsep))
if __name__ == "__main__":
    main()
