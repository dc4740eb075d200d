"""The version of an installed distribution, from its directory's name.

importlib.metadata takes 15 ms to import (measured, Python 3.11) and is the second choice.
"""

from __future__ import annotations

from pathlib import Path


def version_of(distribution: str, package_file: str | None) -> str:
    """The version of `distribution`, whose package is at `package_file`; empty if unknown."""
    if package_file:
        for found in Path(package_file).parents[1].glob(f"{distribution}-*.dist-info"):
            return found.name.removesuffix(".dist-info").partition("-")[2]
    return _from_metadata(distribution)


def _from_metadata(distribution: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
