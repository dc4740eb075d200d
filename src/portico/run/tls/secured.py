"""A site with HTTPS, for the code that maintains its certificate."""

from __future__ import annotations

from typing import Protocol

from portico.run.running import Running
from portico.run.tls.material import Material


class Secured(Running, Protocol):
    """A running site whose certificate can be replaced."""

    @property
    def material(self) -> Material | None:
        """The current certificate and HSTS."""

    async def put_material(self, material: Material) -> None:
        """Use that for HTTPS from now on. Raises PorticoError if the gateway rejects it, OSError for the disk."""
