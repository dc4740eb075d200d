"""A site that serves HTTPS, for those who look after its certificate."""

from __future__ import annotations

from typing import Protocol

from portico.run.running import Running
from portico.run.tls.material import Material


class Secured(Running, Protocol):
    """A running site that can be given another certificate."""

    @property
    def material(self) -> Material | None:
        """What HTTPS is served with."""

    async def put_material(self, material: Material) -> None:
        """Serve HTTPS with that from now on. Raises PorticoError when nginx will not have it, OSError for the disk."""
