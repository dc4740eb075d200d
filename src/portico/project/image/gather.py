"""Everything that goes into an image, from the site's directory and this Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from portico.errors import PorticoError
from portico.export.image.model import Image
from portico.export.image.system import needs
from portico.project.image import requirements
from portico.project.image.installed import compiled, with_dependencies
from portico.site.model import Site
from portico.site.secrets import secret_files, user_files


def image(site: Site, words: tuple[str, ...], wheel: str) -> Image:
    """Raises PorticoError if no file names the app's packages, or the image could not install them."""
    directory = Path(site.directory)
    made = Image(
        python=".".join(map(str, sys.version_info[:2])),
        requirements=None,
        words=words,
        wheel=wheel,
        environments=tuple(sorted(path.parent.name for path in directory.glob("*/pyvenv.cfg"))),
        secrets=tuple(sorted(_below(directory, [*secret_files(site), *user_files(site)]))),
    )
    if not site.has_app:
        return made
    listed = requirements.found(directory)
    names = with_dependencies(requirements.names(directory, listed))
    return replace(made, requirements=listed, needs=needs(names), compiled=compiled(names))


def app_packages(site: Site) -> frozenset[str]:
    """The packages that the app's requirements name, without theirs; none if no file names them."""
    directory = Path(site.directory)
    try:
        return requirements.names(directory, requirements.found(directory))
    except PorticoError:  # `portico export docker` says so
        return frozenset()


def _below(directory: Path, paths: Iterable[str]) -> Iterator[str]:
    """Those below it, from there."""
    for path in paths:
        real = Path(os.path.normpath(path))
        if real.is_relative_to(directory):
            yield str(real.relative_to(directory))
