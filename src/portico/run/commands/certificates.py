"""The connection to `run.tls`, whose libraries are imported only if the site has HTTPS: they take 150 ms."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from portico.protocol import commands
from portico.protocol.answers import CertificateAnswer, RenewStep
from portico.protocol.commands import Handler, handled
from portico.protocol.notices import Notice
from portico.protocol.status import CertificateStatus
from portico.ticks import WELL, Rounds, tick

if TYPE_CHECKING:
    from portico.run.tls.renewer import Renewer
    from portico.run.tls.secured import Secured

NONE_SECONDS = 2.0
"""A site without HTTPS only wakes up to see whether a reload turned HTTPS on."""


class Certificates:
    """The renewer of a running site's certificate, created once the site needs one."""

    def __init__(
        self, running: Secured, say: Callable[[Notice], None], is_serving: Callable[[], bool]
    ) -> None:
        self._running, self._say, self._is_serving = running, say, is_serving
        self._renewer: Renewer | None = None

    async def watch(self) -> Rounds:
        while self._running.in_force.tls is None or not self._is_serving():
            yield WELL
            await tick(NONE_SECONDS if self._running.in_force.tls is None else 0.1)
        async with aclosing(self._made().watch()) as rounds:
            async for wrong in rounds:
                yield wrong

    def status(self) -> CertificateStatus | None:
        """As Renewer.status."""
        return None if self._running.in_force.tls is None else self._made().status()

    def handlers(self) -> list[Handler]:
        return [handled(commands.CERTIFICATE, self._tell), handled(commands.RENEW, self._renew)]

    async def _tell(self, _: commands.Args) -> AsyncGenerator[CertificateAnswer, None]:
        yield CertificateAnswer(self.status())

    async def _renew(self, asked: commands.RenewCertificate) -> AsyncGenerator[RenewStep, None]:
        async for step in self._made().renew(is_dry=asked.dry_run):
            yield step

    def _made(self) -> Renewer:
        if self._renewer is None:
            from portico.run.tls.renewer import Renewer

            self._renewer = Renewer(self._running, self._say, self._is_serving)
        return self._renewer
