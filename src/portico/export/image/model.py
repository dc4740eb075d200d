"""What an image is made of, as far as the files about it depend on it. Values only."""

from __future__ import annotations

from msgspec import Struct

from portico.export.image.requirements import Requirements
from portico.export.image.system import Needs


class Image(Struct, frozen=True):
    """The contents of an image, besides what Site and Plan say.

    `python` is a version like "3.12". `requirements` is None for a site without an app. `words` are those after
    `portico run`, with paths below the site's directory. `wheel` is the name of the file that Portico is installed
    from. `compiled` are packages that were compiled on this machine: they have no wheel that fits. `environments` are
    virtual environments below the site's directory, `secrets` the files there that hold secrets.
    """

    python: str
    requirements: Requirements | None
    words: tuple[str, ...]
    wheel: str
    needs: tuple[Needs, ...] = ()
    compiled: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
