"""Everything that goes into an image, from the site's directory and this Python."""

from __future__ import annotations

import sys
from pathlib import Path

from portico.export.image.model import Image
from portico.export.image.system import needs
from portico.project.image import requirements
from portico.project.image.installed import compiled, with_dependencies
from portico.site.model import Site


def image(site: Site, words: tuple[str, ...], wheel: str) -> Image:
    """Raises PorticoError if no file names the app's packages, or the image could not install them."""
    directory = Path(site.directory)
    made = Image(
        python=".".join(map(str, sys.version_info[:2])),
        requirements=None,
        words=words,
        wheel=wheel,
        environments=tuple(sorted(path.parent.name for path in directory.glob("*/pyvenv.cfg"))),
    )
    if not site.has_app:
        return made
    listed = requirements.found(directory)
    names = with_dependencies(requirements.names(directory, listed))
    return Image(
        python=made.python,
        requirements=listed,
        words=words,
        wheel=wheel,
        needs=needs(names),
        compiled=compiled(names),
        environments=made.environments,
    )
