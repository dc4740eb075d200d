"""Everything that goes into an image, from the site's directory and the app's Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from portico.errors import PorticoError
from portico.export.image.model import Image
from portico.export.image.requirements import VENV
from portico.export.image.system import needs
from portico.place.model import Place
from portico.project.image import requirements
from portico.project.image.installed import compiled, with_dependencies
from portico.reading import as_user
from portico.site.model import Site
from portico.site.secrets import secret_files, user_files

_INSTALLED = "site-packages"


def image(site: Site, place: Place, words: tuple[str, ...], wheel: str) -> Image:
    """Raises PorticoError if no file names the app's packages, or the image could not install them."""
    directory = Path(site.directory)
    made = Image(
        python=_version(place),
        requirements=None,
        words=words,
        wheel=wheel,
        environments=tuple(sorted(_environments(directory))),
        secrets=tuple(sorted(set(_below(directory, [*secret_files(site), *user_files(site)])))),
    )
    if not site.has_app:
        return made
    listed = requirements.found(directory)
    direct, path = requirements.names(directory, listed), place.app_path or tuple(sys.path)
    # An environment of the app's own may be its user's.
    names, built = as_user(place.app_user if place.app_path else "", lambda: _installed(direct, path))
    return replace(made, requirements=listed, needs=needs(names), compiled=built)


def _environments(directory: Path) -> Iterator[str]:
    """Beside the app, or one deeper, as in `envs/2`."""
    for pattern in ("*/pyvenv.cfg", "*/*/pyvenv.cfg"):
        for path in directory.glob(pattern):
            yield path.parent.relative_to(directory).as_posix()


def _installed(direct: frozenset[str], path: Sequence[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    names = with_dependencies(direct, path)
    return names, compiled(names, path)


def _version(place: Place) -> str:
    """Of the Python in the image: the app's."""
    version = place.python_version.split(".") if place.python_version else map(str, sys.version_info)
    return ".".join([*version][:2])


def homes(site: Site, place: Place) -> dict[str, str]:
    """Directories here, and where an image has them: the site's own, and that of installed packages."""
    version = _version(place)
    packages = f"{VENV}/lib/python{version}/{_INSTALLED}"
    installed = [one.folder.partition(f"/{_INSTALLED}/") for one in site.facts.static]
    return {
        **{f"{above}/{_INSTALLED}": packages for above, mark, _ in installed if mark},
        site.directory: f"/srv/{site.name}",
    }


def app_packages(site: Site) -> frozenset[str]:
    """The packages that the app's requirements name, without theirs; none if no file names them."""
    directory = Path(site.directory)
    try:
        return requirements.names(directory, requirements.found(directory))
    except PorticoError:  # `portico export docker` says so
        return frozenset()


def _below(directory: Path, paths: Iterable[str]) -> Iterator[str]:
    """Those below it, from there: by their own names, and by those of the files that links lead to."""
    here = Path(os.path.realpath(directory))
    for path in paths:
        for named, top in ((os.path.normpath(path), directory), (os.path.realpath(path), here)):
            if Path(named).is_relative_to(top):
                yield str(Path(named).relative_to(top))
