"""Names of servers: their addresses, and whether those that the gateway looks up only when it reads its files lead
elsewhere since then.

The decision is pure. Each move costs a reload of the gateway: names that change all the time are followed less often.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future

from msgspec import Struct

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10.0, 600.0
"""Between two moves: doubled with each of the last hour."""
LOOK_UP_SECONDS = 1.5
"""How long an answer is waited for. The system's own look-up cannot be interrupted, and may take much longer."""
_MEMORY_SECONDS = 3600.0

Addresses = Mapping[str, frozenset[str]]


class Names(Struct, frozen=True):
    """The addresses that the gateway has, by name, and when it was last told to look again."""

    addresses: Addresses = {}
    moves: tuple[float, ...] = ()


def _resolved(name: str) -> list[str]:
    answers = socket.getaddrinfo(name.strip("[]"), None, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


class LookUps:
    """Looks names up as the system does: for each name in one thread at a time, however long that takes.

    asyncio's own look-up is not used: its executor's threads are joined at exit, even if the name server hangs.
    """

    def __init__(self, resolve: Callable[[str], list[str]] = _resolved) -> None:
        self._resolve = resolve
        self._begun = dict[str, Future[list[str]]]()

    async def of(self, name: str, seconds: float = LOOK_UP_SECONDS) -> list[str]:
        """Its addresses, at least one. Raises OSError (gaierror) without an answer in time, RuntimeError without a
        thread, UnicodeError for what is no name.
        """
        begun = self._begun.get(name)
        if begun is None or begun.done():
            begun = self._begun[name] = self._begin(name)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(begun)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, f"no address of {name} within {seconds:g} s") from None

    async def of_all(self, names: Collection[str]) -> Addresses:
        """The addresses of each name; without those that cannot be resolved now."""
        every = list(names)
        found = await asyncio.gather(*map(self.of, every), return_exceptions=True)
        pairs = zip(every, found, strict=True)
        return {name: frozenset(one) for name, one in pairs if not isinstance(one, BaseException)}

    def _begin(self, name: str) -> Future[list[str]]:
        answer = Future[list[str]]()
        answer.set_running_or_notify_cancel()

        def look() -> None:
            try:
                answer.set_result(self._resolve(name))
            except Exception as error:  # noqa: BLE001  raised again where it is awaited
                answer.set_exception(error)

        threading.Thread(target=look, daemon=True).start()
        return answer


LOOK_UPS = LookUps()
"""Of this process: the checks of the servers share them."""


def seen(names: Names, found: Addresses, now: float) -> tuple[Names, frozenset[str]]:
    """The state after a look-up, and the names for which the gateway is to look again now."""
    moves = tuple(moment for moment in names.moves if now - moment < _MEMORY_SECONDS)
    moved = frozenset(
        name for name, addresses in found.items() if names.addresses.get(name, addresses) != addresses
    )
    if moved and moves and now - moves[-1] < _pause(len(moves)):
        known = {name: addresses for name, addresses in found.items() if name not in moved}
        return Names({**names.addresses, **known}, moves), frozenset()
    return Names({**names.addresses, **found}, (*moves, now) if moved else moves), moved


def _pause(moves: int) -> float:
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (moves - 1))
