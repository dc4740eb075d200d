"""Maintains the certificate of a running site: watches files, orders renewals in time, checks what is served.

After any failure the current certificate stays: only a better one replaces it, with a report.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from msgspec.structs import replace

from portico.errors import PorticoError, Problem
from portico.plan.subjects import Tls
from portico.protocol import notices
from portico.protocol.answers import RenewStep
from portico.protocol.notices import Notice
from portico.protocol.status import CertificateStatus
from portico.run.background import in_background
from portico.run.tls import material
from portico.run.tls.certificate import Certificate
from portico.run.tls.look import Seen, look
from portico.run.tls.material import Material
from portico.run.tls.memory import Memory
from portico.run.tls.ordering import Ordering, unexpected
from portico.run.tls.schedule import (
    phase,
    remind_seconds,
)
from portico.run.tls.secured import Secured
from portico.run.tls.status import certificate_status
from portico.ticks import WELL, Rounds, tick

TURN_SECONDS = 1.0
"""The interval of checks for due work; also for changes of the user's files."""
SETTLE_SECONDS = 0.5
"""A changed file is read after this long without changes: certificate and key are written one after the other."""
LOOK_EVERY_SECONDS = 3600.0
LOOK_AGAIN_SECONDS = 60.0
"""The interval after a bad look."""
TAKEN_SECONDS = 20.0
"""A reload of the gateway takes some 20 ms, with a thousand certificates longer."""
LEAVING_SECONDS = 2.0
"""How long a worker of the last configuration may still accept a connection after a reload, on a busy machine."""


class Renewer:
    """The certificate of one running site. `is_serving` says whether the gateway runs."""

    def __init__(
        self, running: Secured, say: Callable[[Notice], None], is_serving: Callable[[], bool]
    ) -> None:
        self._running, self._say, self._is_serving = running, say, is_serving
        self._of: Tls | None = None
        self._signature: object = None
        self._changed_at = 0.0
        self._refused: tuple[Problem, ...] = ()
        self._seen: tuple[Seen, ...] = ()
        self._seen_for = ""
        """The fingerprint of the active certificate at that look."""
        self._look_at = 0.0
        self._warned = 0.0
        self._ordering = Ordering(running, say, self._take)
        self._stumbled: tuple[Problem, ...] = ()

    async def watch(self) -> Rounds:
        """Runs forever."""
        while True:
            tls, served = self._running.in_force.tls, self._running.material
            if tls is None or served is None or not self._is_serving():
                yield WELL
                await tick(TURN_SECONDS)
                continue
            if tls != self._of:
                self._begin(tls, served)
            wrong = await self._turn(tls, served)
            self._stumbled = tuple(problem for error in wrong.values() for problem in error.problems)
            yield wrong
            if wrong:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            await tick(TURN_SECONDS)

    def _begin(self, tls: Tls, served: Material) -> None:
        """Start to use a new plan."""
        # After a reload the gateway answers under the old names for a moment.
        self._ordering.begin(tls, time.monotonic() + TAKEN_SECONDS if self._of else 0.0)
        self._of = tls
        self._signature = None  # a change since the files were chosen is noticed, too
        self._changed_at, self._look_at, self._seen = 0.0, 0.0, ()
        self._stumbled = ()
        if served.is_refused:
            self._refuse(served, served.problems)
        else:
            self._complain(served.problems)
        memory, now = self._ordering.memory(tls), time.time()
        if tls.mode == "auto" and served.is_placeholder and memory.problems and memory.next_try > now:
            # A user who restarts Portico learns why nothing happens yet.
            self._say(
                notices.CertificateFailed(tuple(memory.problems), memory.next_try - now, memory.failures)
            )

    async def _turn(self, tls: Tls, served: Material) -> dict[str, PorticoError]:
        """The failed parts. They are independent: if the renewal fails, the expiry warning still works."""
        wrong = dict[str, PorticoError]()
        parts = (("", self._mend), ("as it is served", self._look_again), ("its end", self._warn))
        for name, part in parts:
            try:
                await part(tls, served)
            except Exception as error:  # noqa: BLE001  whatever it is, it is reported and tried again
                wrong[name or tls.names[0]] = (
                    error if isinstance(error, PorticoError) else PorticoError(unexpected(error))
                )
        return wrong

    async def _mend(self, tls: Tls, served: Material) -> None:
        now = time.time()
        if tls.mode == "files":
            await self._reread(tls, served)
        elif tls.mode == "local" and material.is_old(served.certificate, now):
            fresh, problems = await in_background(lambda: material.local(tls))
            self._complain(problems)
            await self._replace(tls, fresh, "local")
        elif tls.mode == "auto" and now >= await self._ordering.next_try(tls, served):
            await self._ordering.renew(tls)

    async def _look_again(self, tls: Tls, _: Material) -> None:
        if time.time() >= self._look_at:
            await self._look(tls)

    # The user's own files -----------------------------------------------------------------------------

    async def _reread(self, tls: Tls, served: Material) -> None:
        signature = _signature(tls)
        if signature != self._signature:
            self._signature, self._changed_at = signature, time.monotonic()
            return
        if not self._changed_at or time.monotonic() - self._changed_at < SETTLE_SECONDS:
            return
        self._changed_at = 0.0
        try:
            fresh = await in_background(lambda: material.files(tls))
            self._complain(material.complaints(tls))
            if fresh.pem != served.certificate.pem or served.is_refused:
                await self._replace(tls, fresh, "files")
        except PorticoError as error:
            await self._make_do(tls, served, error.problems)
        except BaseException:
            self._signature = None  # a full disk is no fault of the files: they are tried again
            raise

    async def _make_do(self, tls: Tls, served: Material, problems: tuple[Problem, ...]) -> None:
        """The files are unusable: the current certificate stays, unless it is a placeholder and they are better."""
        self._refuse(served, problems)
        best = await in_background(lambda: material.makeshift(tls, problems))
        if served.is_placeholder and not best.is_placeholder:
            await self._running.put_material(best)
            await self._look(tls, TAKEN_SECONDS)
        elif not served.is_refused:
            await self._running.put_material(replace(served, problems=problems, is_refused=True))

    def _refuse(self, served: Material, problems: tuple[Problem, ...]) -> None:
        """Report once that the user's files are unusable."""
        if problems != self._refused:
            is_new = not served.is_refused and not served.is_placeholder
            self._say(notices.CertificateRefused(problems, "" if is_new else served.origin))
        self._refused = problems

    def _complain(self, problems: tuple[Problem, ...]) -> None:
        """Report the faults of used files once."""
        for problem in problems:
            if problem not in self._refused:
                self._say(notices.Trouble(problem))
        self._refused = problems

    # What is served ------------------------------------------------------------------------------------

    async def _take(self, tls: Tls, fresh: Certificate) -> None:
        await self._replace(tls, fresh, "auto")

    async def _replace(self, tls: Tls, fresh: Certificate, origin: str) -> None:
        """Let the gateway serve it, and check the result. Raises PorticoError if the gateway rejects it."""
        memory = self._ordering.memory(tls)
        made = Material(fresh, origin)
        await self._running.put_material(replace(made, hsts_seconds=material.hsts_of(made, tls, memory)))
        self._warned, self._stumbled = 0.0, ()
        await self._look(tls, TAKEN_SECONDS)
        self._say(notices.CertificateServed(fresh.names, fresh.days_left(time.time()), fresh.issuer))

    async def _look(self, tls: Tls, within: float = LEAVING_SECONDS) -> None:
        """Check every address; the time without a fault determines HSTS.

        A fault counts only after `within` seconds: a worker of the gateway that is leaving shows the previous
        certificate.
        """
        deadline = time.monotonic() + within
        while self._are_others_shown(shown := await in_background(lambda: look(tls))):
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(0.05)
        self._seen = shown
        served = self._running.material
        if served is None or self._running.in_force.tls != tls:
            return
        self._seen_for = served.certificate.fingerprint
        wrong = [seen for seen in self._seen if seen.fingerprint != served.certificate.fingerprint]
        memory = self._ordering.memory(tls)
        is_good = not served.is_placeholder and not served.is_refused
        is_well = is_good and not wrong and served.certificate.is_trusted
        before, memory.well_since = memory.well_since, (memory.well_since or time.time()) if is_well else None
        if (before is None) != (memory.well_since is None):
            self._ordering.keep(tls, memory)
        if served.is_refused:
            self._changed_at = time.monotonic()  # a future certificate becomes valid
        self._look_at = time.time() + (LOOK_AGAIN_SECONDS if wrong else LOOK_EVERY_SECONDS)
        for seen in wrong:
            self._say(notices.CertificateNotServed(str(seen.address), seen.words))
        await self._tell_browsers(tls, served, memory)

    def _are_others_shown(self, shown: tuple[Seen, ...]) -> bool:
        served = self._running.material
        return served is not None and any(
            seen.fingerprint != served.certificate.fingerprint for seen in shown
        )

    async def _tell_browsers(self, tls: Tls, served: Material, memory: Memory) -> None:
        wanted = material.hsts_of(served, tls, memory)
        # A fault returns the site to the first step for new visitors; earlier HSTS headers cannot be withdrawn.
        if wanted != served.hsts_seconds and not served.is_placeholder:
            await self._running.put_material(replace(served, hsts_seconds=wanted))

    async def _warn(self, _: Tls, __: Material) -> None:
        """Warn from time to time, from the time that follows from its lifetime (`schedule.warn_at`).

        The certificate that is active now counts: it may have been replaced in this very round.
        """
        served, now = self._running.material, time.time()
        if served is None or served.is_placeholder:
            return
        certificate = served.certificate
        if now < self._warned + remind_seconds(certificate.lifetime):
            return
        if (reached := phase(certificate.not_before, certificate.not_after, now)) == "good":
            return
        self._warned = now
        self._say(notices.CertificateEnds(certificate.days_left(now), tuple(self._trouble()), reached))

    # Questions and commands ---------------------------------------------------------------------------

    def status(self) -> CertificateStatus | None:
        """The full status of the certificate; None without HTTPS."""
        tls, served = self._running.in_force.tls, self._running.material
        if tls is None or served is None:
            return None
        certificate, memory = served.certificate, self._ordering.memory(tls)
        seen = self._seen if self._seen_for == certificate.fingerprint else ()
        return certificate_status(
            tls, served, memory, seen, self._ordering.planned(tls, served), self._trouble()
        )

    def renew(self, *, is_dry: bool) -> AsyncGenerator[RenewStep, None]:
        """Order a certificate now, or rehearse. Raises PorticoError with the fault."""
        return self._ordering.asked(self._running.in_force.tls, is_dry=is_dry)

    def _trouble(self) -> list[Problem]:
        return [
            *self._refused,
            *self._stumbled,
            *self._ordering.problems,
        ]


def _signature(tls: Tls) -> object:
    """Values that change when one of the user's files does."""
    return tuple(_stat(path) for path in (tls.cert, tls.key) if path)


def _stat(path: str) -> tuple[int, ...]:
    try:
        found = Path(path).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode
