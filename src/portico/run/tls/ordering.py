"""Orders a certificate: decides when, rehearses first, and stores the result of each attempt."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

from portico.errors import PorticoError, Problem
from portico.plan.subjects import Tls
from portico.protocol import notices
from portico.protocol.answers import RenewStep
from portico.protocol.notices import Notice
from portico.run.background import in_background
from portico.run.tls import acme, material
from portico.run.tls.certificate import Certificate
from portico.run.tls.material import Material
from portico.run.tls.memory import Memory
from portico.run.tls.preflight import preflight
from portico.run.tls.schedule import REFUSED, SERVER, UNREADY, pause, renew_at
from portico.run.tls.secured import Secured

ASK_EVERY_SECONDS = 3600.0
LOOK_SOON_SECONDS = 0.5


class Ordering:
    """`take` activates a new certificate, and raises the obstacle."""

    def __init__(
        self,
        running: Secured,
        say: Callable[[Notice], None],
        take: Callable[[Tls, Certificate], Awaitable[None]],
    ) -> None:
        self._running, self._say, self._take = running, say, take
        self._memory: Memory | None = None
        self._taken_at = 0.0
        self._lot = random.random()  # noqa: S311  it spreads load, it keeps no secret
        self._lock = asyncio.Lock()

    def begin(self, tls: Tls, taken_at: float) -> None:
        """A new plan is active; the gateway uses it from `taken_at` (monotonic)."""
        self._memory, self._taken_at = Memory.of(tls), taken_at

    @property
    def problems(self) -> list[Problem]:
        """The obstacle at the last attempt."""
        return self._memory.problems if self._memory else []

    async def next_try(self, tls: Tls, served: Material) -> float:
        """When to order, in seconds since 1970; 0 is at once."""
        memory = self.memory(tls)
        certificate = served.certificate
        lacks = served.is_placeholder or any(not certificate.covers(name) for name in tls.names)
        if not lacks:
            await self._ask_wish(tls, certificate, memory)
        wished = memory.wished if memory.wished_for == certificate.fingerprint else None
        wanted = 0.0 if lacks else renew_at(certificate.not_before, certificate.not_after, self._lot, wished)
        # Other names than in the last attempt are a new order; a refused one waits all the same.
        is_free = memory.was_unready or not memory.failures
        is_new = lacks and is_free and memory.asked != sorted(tls.names)
        return wanted if is_new else max(wanted, memory.next_try)

    async def _ask_wish(self, tls: Tls, certificate: Certificate, memory: Memory) -> None:
        """Ask the authority from time to time when it wants the certificate renewed (ARI, RFC 9773)."""
        now = time.time()
        if memory.wished_for == certificate.fingerprint and now < memory.ask_wish:
            return
        info = await acme.renewal_info(tls, certificate.pem)
        if info is None:
            # It cannot be asked now: its last answer stays valid; renewal at a third of the lifetime needs none.
            memory.ask_wish, memory.wished_for = now + ASK_EVERY_SECONDS, certificate.fingerprint
            return
        if (
            info[0] is None
            or memory.wished is None
            or memory.wished_for != certificate.fingerprint
            or info[0] < now
        ):
            memory.wished = info[0]
        memory.ask_wish, memory.wished_for = max(info[1], now + ASK_EVERY_SECONDS), certificate.fingerprint
        self.keep(tls, memory)

    def planned(self, tls: Tls, served: Material) -> float | None:
        """The time of the next order, as far as it is known."""
        certificate, memory = served.certificate, self.memory(tls)
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

    async def renew(self, tls: Tls) -> None:
        """Order a certificate; failures are stored, and reported if they are new."""
        if self._lock.locked():
            return
        async with self._lock:
            try:
                await self._order(tls)
            except acme.FailedError:
                pass  # stored and reported where it happened

    async def _order(self, tls: Tls, *, is_new: bool = False) -> Certificate:
        """One attempt from preflight to swap. Raises FailedError, after storing and reporting it.

        With `is_new` the authority is asked even if a stored certificate was never served.
        """
        memory = self.memory(tls)
        memory.tried, memory.asked = time.time(), sorted(tls.names)
        # Stored first: repeated restarts must not cause repeated orders.
        memory.begun += 1
        memory.next_try = memory.tried + pause(REFUSED, memory.failures + memory.begun, self._lot)
        self.keep(tls, memory)
        try:
            fresh = None if is_new else await in_background(lambda: self._unused(tls))
            if fresh is None:
                await self._rehearse(tls, memory)
                pem = await acme.order(tls)
                fresh = await in_background(lambda: material.store(tls, pem))
            await self._take(tls, fresh)
        except acme.FailedError as failed:
            self._failed(tls, memory, failed.kind, failed.problems)
            raise
        except asyncio.CancelledError:
            # Portico is stopping: there was no verdict, so the next start need not wait long.
            memory.begun, memory.next_try = memory.begun - 1, time.time() + pause(SERVER, 1, self._lot)
            self.keep(tls, memory)
            raise
        except Exception as error:  # noqa: BLE001  whatever it is counts: nothing is asked for every minute
            problems = error.problems if isinstance(error, PorticoError) else (unexpected(error),)
            self._failed(tls, memory, REFUSED, problems)
            raise acme.FailedError(REFUSED, problems) from None
        memory.succeeded, memory.failures, memory.begun, memory.problems = time.time(), 0, 0, []
        # Independent of clocks and authorities: not again at once.
        memory.next_try = memory.succeeded + min(ASK_EVERY_SECONDS, fresh.lifetime / 3)
        self.keep(tls, memory)
        return fresh

    def _unused(self, tls: Tls) -> Certificate | None:
        """An issued certificate that was not activated, because of a full disk or the end of Portico. Blocks."""
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
        """The checks before the first order for these names: they do not count against the real limits."""
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
        self.keep(tls, memory)
        self._say(notices.CertificateFailed(problems, seconds, memory.failures))

    async def asked(self, tls: Tls | None, *, is_dry: bool) -> AsyncGenerator[RenewStep, None]:
        """Order a certificate now, or rehearse, at a user's request. Raises PorticoError."""
        if tls is None or tls.mode != "auto":
            mode = tls.mode if tls else "off"
            raise PorticoError(Problem("", f'no certificate is ordered in mode "{mode}"', _HINTS[mode]))
        if self._lock.locked():
            raise PorticoError(
                Problem("", "a certificate is already being ordered", "wait for it: portico cert")
            )
        async with self._lock:
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

    def memory(self, tls: Tls) -> Memory:
        if self._memory is None:
            self._memory = Memory.of(tls)
        return self._memory

    def keep(self, tls: Tls, memory: Memory) -> None:
        try:
            memory.keep(tls)
        except OSError as error:
            self._say(notices.Trouble(_unwritten(error)))


_HINTS = {
    "files": "replace the files: Portico reads them again when they change",
    "local": "Portico makes a new one by itself in time",
    "off": "this site has no HTTPS: portico run --https local, or --email with a domain",
}


def unexpected(error: Exception) -> Problem:
    if isinstance(error, OSError):
        return _unwritten(error)
    return Problem("certificate", f"{type(error).__name__}: {error}")


def _unwritten(error: OSError) -> Problem:
    return Problem(
        str(error.filename or "the certificate's files"), f"cannot be written: {error.strerror or error}"
    )
