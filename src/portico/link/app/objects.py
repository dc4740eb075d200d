"""The objects in the app's own modules and in its extensions."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

_MOST_OBJECTS = 20_000


def objects(inner: Any, directory: Path) -> Iterator[tuple[str, Any]]:
    """Each object with its place; threads that are schedulers, too. `inner` is the framework's own object."""
    count = 0
    for module in [*sys.modules.values()]:
        name = getattr(module, "__name__", "")
        if not (is_own(getattr(module, "__file__", None), directory) or name == "schedule"):
            continue
        for key, value in list(vars(module).items()):
            count += 1
            if count > _MOST_OBJECTS:
                return
            yield f"{name}.{key}", value
    extensions = getattr(inner, "extensions", None)
    if isinstance(extensions, dict):
        yield from ((f"app.extensions[{key!r}]", value) for key, value in list(extensions.items()))
    yield from ((f"thread {thread.name}", thread) for thread in threading.enumerate())


def own_modules(directory: Path) -> list[ModuleType]:
    """The modules that were imported from `directory`, in the order of their import."""
    return [one for one in [*sys.modules.values()] if is_own(getattr(one, "__file__", None), directory)]


def is_own(file: Any, directory: Path) -> bool:
    """Whether a file is the app's own, not one of a package installed below its directory."""
    return isinstance(file, str) and file.startswith(f"{directory}/") and "/site-packages/" not in file


def is_a(thing: Any, names: tuple[str, str]) -> bool:
    """Whether an object is of that class, (module, name); checked by name, so that nothing is imported."""
    return any((base.__module__, base.__name__) == names for base in type(thing).__mro__)
