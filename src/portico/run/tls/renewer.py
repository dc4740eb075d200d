"""Keeps the certificate of a running site: watches the files, asks for new ones in time, looks at what is served.

Whatever fails leaves in force what is there: certificates are replaced only by better ones, and said.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from portico.errors import PorticoError, Problem
from portico.plan.model import Tls
from portico.protocol import notices
from portico.protocol.answers import RenewStep
from portico.protocol.notices import Notice
from portico.protocol.status import CertificateAddress, CertificateStatus
from portico.run.background import in_background
from portico.run.running import Running
from portico.run.tls import acme, make, material
from portico.run.tls.certificate import Certificate
from portico.run.tls.look import Seen, look
from portico.run.tls.material import Material
from portico.run.tls.memory import Memory
from portico.run.tls.preflight import preflight
from portico.run.tls.schedule import (
    REFUSED,
    SERVER,
    UNREADY,
    pause,
    phase,
    remind_seconds,
    renew_at,
    urgent_at,
    warn_at,
)
from portico.ticks import WELL, Rounds, tick

TURN_SECONDS = 1.0
"""How often it is looked whether there is something to do; a file of the user's is seen as soon."""
SETTLE_SECONDS = 0.5
"""A file that changed is read when it was quiet for so long: certificate and key are written one after the other."""
LOOK_EVERY_SECONDS = 3600.0
LOOK_AGAIN_SECONDS = 60.0
"""After a look that was not as it should be."""
LOOK_SOON_SECONDS = 0.5
TAKEN_SECONDS = 20.0
"""A reload of nginx takes some 20 ms, with a thousand certificates longer."""
LEAVING_SECONDS = 2.0
"""How long a worker of the last configuration may still accept a connection after a reload, on a busy machine."""


class Secured(Running, Protocol):
    """A running site that can be given another certificate."""

    @property
    def material(self) -> Material | None:
        """What HTTPS is served with."""

    async def put_material(self, material: Material) -> None:
        """Serve HTTPS with that from now on. Raises PorticoError when nginx will not have it, OSError for the disk."""


class Renewer:
    """The certificate of one running site. `is_serving` says whether nginx is there to be told."""

    def __init__(
        self, running: Secured, say: Callable[[Notice], None], is_serving: Callable[[], bool]
    ) -> None:
        self._running, self._say, self._is_serving = running, say, is_serving
        self._memory: Memory | None = None
        self._of: Tls | None = None
        self._lot = random.random()  # noqa: S311  it spreads load, it keeps no secret
        self._signature: object = None
        self._changed_at = self._taken_at = 0.0
        self._refused: tuple[Problem, ...] = ()
        self._seen: tuple[Seen, ...] = ()
        self._seen_for = ""
        """The fingerprint of the certificate that was in force at that look."""
        self._look_at = 0.0
        self._warned = 0.0
        self._ordering = asyncio.Lock()
        self._stumbled: tuple[Problem, ...] = ()

    async def watch(self) -> Rounds:
        """For ever."""
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
        """A plan that is new to us."""
        # After a reload nginx answers under the old names for a moment.
        self._taken_at = time.monotonic() + TAKEN_SECONDS if self._of else 0.0
        self._of, self._memory = tls, Memory.of(tls)
        self._signature = None  # what changed since the files were chosen is seen, too
        self._changed_at, self._look_at, self._seen = 0.0, 0.0, ()
        self._stumbled = ()
        if served.is_refused:
            self._refuse(served, served.problems)
        else:
            self._complain(served.problems)
        memory, now = self._memory, time.time()
        if tls.mode == "auto" and served.is_placeholder and memory.problems and memory.next_try > now:
            # Somebody who starts anew is told why nothing happens yet.
            self._say(
                notices.CertificateFailed(tuple(memory.problems), memory.next_try - now, memory.failures)
            )

    async def _turn(self, tls: Tls, served: Material) -> dict[str, PorticoError]:
        """What failed. Each part is done by itself: who cannot renew a certificate still warns of its end."""
        wrong = dict[str, PorticoError]()
        parts = (("", self._mend), ("as it is served", self._look_again), ("its end", self._warn))
        for name, part in parts:
            try:
                await part(tls, served)
            except Exception as error:  # noqa: BLE001  whatever it is, it is told and tried again
                wrong[name or tls.names[0]] = error if isinstance(error, PorticoError) else _told(error)
        return wrong

    async def _mend(self, tls: Tls, served: Material) -> None:
        now = time.time()
        if tls.mode == "files":
            await self._reread(tls, served)
        elif tls.mode == "local" and material.is_old(served.certificate, now):
            fresh, problems = await in_background(lambda: material.local(tls))
            self._complain(problems)
            await self._replace(tls, fresh, "local")
        elif tls.mode == "auto" and now >= await self._next_try(tls, served):
            await self._renew(tls)

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
        """The files are not fit: what is served stays, unless it is a placeholder and they are better than that."""
        self._refuse(served, problems)
        best = await in_background(lambda: material.makeshift(tls, problems))
        if served.is_placeholder and not best.is_placeholder:
            await self._running.put_material(best)
            await self._look(tls, TAKEN_SECONDS)
        elif not served.is_refused:
            await self._running.put_material(replace(served, problems=problems, is_refused=True))

    def _refuse(self, served: Material, problems: tuple[Problem, ...]) -> None:
        """Say once that the user's files are not fit."""
        if problems != self._refused:
            is_new = not served.is_refused and not served.is_placeholder
            self._say(notices.CertificateRefused(problems, "" if is_new else served.origin))
        self._refused = problems

    def _complain(self, problems: tuple[Problem, ...]) -> None:
        """What is wrong with files that are used: said once."""
        for problem in problems:
            if problem not in self._refused:
                self._say(notices.Trouble(problem))
        self._refused = problems

    # A certificate that is asked for -------------------------------------------------------------------

    async def _next_try(self, tls: Tls, served: Material) -> float:
        """When to ask, in seconds since 1970; 0 is at once."""
        memory = self._remembered(tls)
        certificate = served.certificate
        lacks = served.is_placeholder or any(not certificate.covers(name) for name in tls.names)
        if not lacks:
            await self._ask_wish(tls, certificate, memory)
        wished = memory.wished if memory.wished_for == certificate.fingerprint else None
        wanted = 0.0 if lacks else renew_at(certificate.not_before, certificate.not_after, self._lot, wished)
        # Other names than those of the last try are a request of their own; what was refused waits all the same.
        is_free = memory.was_unready or not memory.failures
        is_new = lacks and is_free and memory.asked != sorted(tls.names)
        return wanted if is_new else max(wanted, memory.next_try)

    async def _ask_wish(self, tls: Tls, certificate: Certificate, memory: Memory) -> None:
        """Ask the authority now and then when it wants the certificate renewed (ARI, RFC 9773)."""
        now = time.time()
        if memory.wished_for == certificate.fingerprint and now < memory.ask_wish:
            return
        told = await acme.renewal_info(tls, certificate.pem)
        if told is None:
            # It cannot be asked now: what it said before holds, and a third of the lifetime does without it.
            memory.ask_wish, memory.wished_for = now + LOOK_EVERY_SECONDS, certificate.fingerprint
            return
        if (
            told[0] is None
            or memory.wished is None
            or memory.wished_for != certificate.fingerprint
            or told[0] < now
        ):
            memory.wished = told[0]
        memory.ask_wish, memory.wished_for = max(told[1], now + LOOK_EVERY_SECONDS), certificate.fingerprint
        self._keep(tls, memory)

    async def _renew(self, tls: Tls) -> None:
        """Ask for a certificate; failures are remembered, and said when they are new."""
        if self._ordering.locked():
            return
        async with self._ordering:
            try:
                await self._order(tls)
            except acme.FailedError:
                pass  # remembered and said where it happened

    async def _order(self, tls: Tls, *, is_new: bool = False) -> Certificate:
        """One try from preflight to swap. Raises FailedError, after it was remembered and said.

        With `is_new` the authority is asked even when a certificate lies there that was never served.
        """
        memory = self._remembered(tls)
        memory.tried, memory.asked = time.time(), sorted(tls.names)
        # Written down first: whoever is restarted again and again must not ask again and again.
        memory.begun += 1
        memory.next_try = memory.tried + pause(REFUSED, memory.failures + memory.begun, self._lot)
        self._keep(tls, memory)
        try:
            fresh = None if is_new else await in_background(lambda: self._unused(tls))
            if fresh is None:
                await self._rehearse(tls, memory)
                pem = await acme.order(tls)
                fresh = await in_background(lambda: material.store(tls, pem))
            await self._replace(tls, fresh, "auto")
        except acme.FailedError as failed:
            self._failed(tls, memory, failed.kind, failed.problems)
            raise
        except asyncio.CancelledError:
            # Portico is stopped: nothing was judged, and the next start need not wait long.
            memory.begun, memory.next_try = memory.begun - 1, time.time() + pause(SERVER, 1, self._lot)
            self._keep(tls, memory)
            raise
        except Exception as error:  # noqa: BLE001  whatever it is counts: nothing is asked for every minute
            problems = error.problems if isinstance(error, PorticoError) else (_unexpected(error),)
            self._failed(tls, memory, REFUSED, problems)
            raise acme.FailedError(REFUSED, problems) from None
        memory.succeeded, memory.failures, memory.begun, memory.problems = time.time(), 0, 0, []
        # Whatever a clock or an authority says: not again at once.
        memory.next_try = memory.succeeded + min(LOOK_EVERY_SECONDS, fresh.lifetime / 3)
        self._keep(tls, memory)
        return fresh

    def _unused(self, tls: Tls) -> Certificate | None:
        """One that was issued and could not be put in: a full disk, or the end of Portico, came between. Blocks."""
        served = self._running.material
        for kept in (material.stored(tls), material.left_over(tls)):
            if (
                kept is not None
                and (served is None or kept.fingerprint != served.certificate.fingerprint)
                and not material.is_old(kept, time.time())
                and all(kept.covers(name) for name in tls.names)
            ):
                return kept
        return None

    async def _rehearse(self, tls: Tls, memory: Memory) -> None:
        """What is done before the first order for these names: nothing of it counts against the real limits."""
        names = sorted(tls.names)
        if memory.rehearsed == names:
            return
        while problems := await in_background(lambda: preflight(tls)):
            if time.monotonic() >= self._taken_at:
                raise acme.FailedError(UNREADY, problems)
            await asyncio.sleep(LOOK_SOON_SECONDS)
        if tls.acme and tls.acme.staging and tls.acme.staging != tls.acme.server:
            await acme.order(tls, rehearse=True)
        memory.rehearsed = names

    def _failed(self, tls: Tls, memory: Memory, kind: str, problems: tuple[Problem, ...]) -> None:
        memory.failures, memory.begun, memory.was_unready = memory.failures + 1, 0, kind == UNREADY
        seconds = pause(kind, memory.failures, random.random())  # noqa: S311
        memory.next_try = time.time() + seconds
        memory.problems = list(problems)
        self._keep(tls, memory)
        self._say(notices.CertificateFailed(problems, seconds, memory.failures))

    # What is served ------------------------------------------------------------------------------------

    async def _replace(self, tls: Tls, fresh: Certificate, origin: str) -> None:
        """Have nginx serve it, and look whether it does. Raises PorticoError when nginx refuses it."""
        memory = self._remembered(tls)
        made = Material(fresh, origin)
        await self._running.put_material(replace(made, hsts_seconds=material.hsts_of(made, tls, memory)))
        self._warned, self._stumbled = 0.0, ()
        await self._look(tls, TAKEN_SECONDS)
        self._say(notices.CertificateServed(fresh.names, fresh.days_left(time.time()), fresh.issuer))

    async def _look(self, tls: Tls, within: float = LEAVING_SECONDS) -> None:
        """See what every address shows; how long that has been well decides what browsers are told (HSTS).

        What is wrong counts only when it is so for `within` seconds: a worker of nginx that leaves shows the last one.
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
        memory = self._remembered(tls)
        is_good = not served.is_placeholder and not served.is_refused
        is_well = is_good and not wrong and served.certificate.is_trusted
        before, memory.well_since = memory.well_since, (memory.well_since or time.time()) if is_well else None
        if (before is None) != (memory.well_since is None):
            self._keep(tls, memory)
        if served.is_refused:
            self._changed_at = time.monotonic()  # a file that was too early is fit one day without a change
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
        # A break takes the site back to the first step for new visitors; what others were told cannot be taken back.
        if wanted != served.hsts_seconds and not served.is_placeholder:
            await self._running.put_material(replace(served, hsts_seconds=wanted))

    async def _warn(self, _: Tls, __: Material) -> None:
        """Now and then from the time that follows from its life (`schedule.warn_at`) on.

        What is served now counts: another one may have been put in place in this very turn.
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

    # What people ask and are told ----------------------------------------------------------------------

    def status(self) -> CertificateStatus | None:
        """Everything about the certificate; None without HTTPS."""
        tls, served = self._running.in_force.tls, self._running.material
        if tls is None or served is None:
            return None
        certificate, memory = served.certificate, self._remembered(tls)
        seen = self._seen if self._seen_for == certificate.fingerprint else ()
        return CertificateStatus(
            mode=tls.mode,
            source=served.origin,
            refused=served.is_refused,
            phase=phase(certificate.not_before, certificate.not_after, time.time()),
            names=tuple(certificate.names),
            missing=tuple(name for name in tls.names if not certificate.covers(name)),
            issuer=certificate.issuer,
            serial=certificate.serial,
            fingerprint=certificate.fingerprint,
            trusted=certificate.is_trusted,
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            warn_at=warn_at(certificate.not_before, certificate.not_after),
            urgent_at=urgent_at(certificate.not_before, certificate.not_after),
            days_left=round(certificate.days_left(time.time()), 2),
            server=tls.acme.server if tls.acme else None,
            next_attempt=self._planned(tls, served, memory),
            last_attempt=memory.tried or None,
            last_success=memory.succeeded or None,
            failures=memory.failures,
            problems=tuple(map(str, self._trouble())),
            addresses=tuple(
                CertificateAddress(str(one.address), one.fingerprint == certificate.fingerprint, one.words)
                for one in seen
            ),
            hsts_seconds=served.hsts_seconds,
            well_since=memory.well_since,
            authority=f"{tls.local_ca}/{make.AUTHORITY}" if tls.mode == "local" else None,
        )

    def _planned(self, tls: Tls, served: Material, memory: Memory) -> float | None:
        certificate = served.certificate
        if tls.mode == "files":
            return None
        if tls.mode == "local":
            return renew_at(certificate.not_before, certificate.not_after, 0.0)
        if served.is_placeholder:
            return memory.next_try or None
        wished = memory.wished if memory.wished_for == certificate.fingerprint else None
        return max(
            renew_at(certificate.not_before, certificate.not_after, self._lot, wished), memory.next_try
        )

    def _trouble(self) -> list[Problem]:
        return [*self._refused, *self._stumbled, *(self._memory.problems if self._memory else [])]

    async def renew(self, *, is_dry: bool) -> AsyncGenerator[RenewStep, None]:
        """Ask for a certificate now, or rehearse it. Raises PorticoError with what is wrong."""
        tls = self._running.in_force.tls
        if tls is None or tls.mode != "auto":
            mode = tls.mode if tls else "off"
            raise PorticoError(Problem("", f'no certificate is ordered in mode "{mode}"', _HINTS[mode]))
        if self._ordering.locked():
            raise PorticoError(
                Problem("", "a certificate is already being ordered", "wait for it: portico cert")
            )
        async with self._ordering:
            yield RenewStep("asking", tls.names, tls.acme.server if tls.acme else "")
            try:
                if is_dry:
                    async for step in self._dry_run(tls):
                        yield step
                    return
                fresh = await self._order(tls, is_new=True)
            except acme.FailedError as failed:
                raise PorticoError(*failed.problems) from None
        days = round(fresh.days_left(time.time()), 2)
        yield RenewStep("served", days_left=days, issuer=fresh.issuer)

    async def _dry_run(self, tls: Tls) -> AsyncGenerator[RenewStep, None]:
        if problems := await in_background(lambda: preflight(tls)):
            raise acme.FailedError(UNREADY, problems)
        yield RenewStep("looked", tls.names)
        if tls.acme and tls.acme.staging:
            await acme.order(tls, rehearse=True)
            yield RenewStep("rehearsed", server=tls.acme.staging)

    def _remembered(self, tls: Tls) -> Memory:
        if self._memory is None:
            self._memory = Memory.of(tls)
        return self._memory

    def _keep(self, tls: Tls, memory: Memory) -> None:
        try:
            memory.keep(tls)
        except OSError as error:
            self._say(notices.Trouble(_unwritten(error)))


_HINTS = {
    "files": "replace the files: Portico reads them again when they change",
    "local": "Portico makes a new one by itself in time",
    "off": "this site has no HTTPS: portico run --https local, or --email with a domain",
}


def _signature(tls: Tls) -> object:
    """What changes when one of the user's files does."""
    return tuple(_stat(path) for path in (tls.cert, tls.key) if path)


def _stat(path: str) -> tuple[int, ...]:
    try:
        found = Path(path).stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode


def _told(error: Exception) -> PorticoError:
    return PorticoError(_unexpected(error))


def _unexpected(error: Exception) -> Problem:
    if isinstance(error, OSError):
        return _unwritten(error)
    return Problem("certificate", f"{type(error).__name__}: {error}")


def _unwritten(error: OSError) -> Problem:
    return Problem(
        str(error.filename or "the certificate's files"), f"cannot be written: {error.strerror or error}"
    )
