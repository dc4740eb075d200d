"""A steady mix of GET and POST from clients that never retry, each request written down."""

from __future__ import annotations

import http.client
import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

MIX = ("GET /", "POST /", "GET /work")
"""In turn: the one-line view, a POST that is written down before it answers, and a view that takes a moment."""
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and what came of it; times are time.monotonic(), `status` is 0 without a whole answer."""

    what: str
    client: int
    is_kept: bool
    key: str
    began: float
    ended: float
    status: int
    said: str

    @property
    def is_good(self) -> bool:
        return self.status == 200

    @property
    def took(self) -> float:
        return self.ended - self.began

    def __str__(self) -> str:
        kind, said = "kept" if self.is_kept else "fresh", " ".join(self.said.split())[:80]
        return f"{self.what} ({kind}, {self.took:.2f} s): {self.status or ''} {said}".strip()


class Clients:
    """`count` clients, every second one on a connection it keeps, each asking `mix` in turn; ends with its block."""

    def __init__(
        self, port: int, count: int = 8, *, mix: Sequence[str] = MIX, pause_seconds: float = 0.03
    ) -> None:
        self.port, self.mix, self.pause = port, mix, pause_seconds
        self.asked: list[Asked] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._go, args=(index,)) for index in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def failed(self) -> list[Asked]:
        return [asked for asked in self.asked.copy() if not asked.is_good]

    def slowest(self) -> float:
        return max((asked.took for asked in self.asked.copy()), default=0.0)

    def recovered(self, moment: float, *, said: str = "", seconds: float = 60.0) -> float:
        """When the first good answer came to a request that was sent after `moment`; infinite if none came in time.

        `said` is what it must say, when that tells who answered.
        """
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            ends = [a.ended for a in self.asked.copy() if a.began >= moment and a.is_good and said in a.said]
            if ends:
                return min(ends)
            time.sleep(0.01)
        return math.inf

    def go_on(self, rounds: int = 4, seconds: float = 90.0) -> None:
        """Return when every client has asked so many more times: what was lost after a fault is seen then."""
        began, give_up = time.monotonic(), time.monotonic() + seconds
        while time.monotonic() < give_up and self._fewest_since(began) < rounds:
            time.sleep(0.02)

    def _fewest_since(self, moment: float) -> int:
        counted = Counter(asked.client for asked in self.asked.copy() if asked.began >= moment)
        return min(counted[index] for index in range(len(self._threads)))

    def back_after(self, moment: float, until: float = math.inf) -> float:
        """Seconds from `moment` to the end of the last failure, or the longest wait between two good answers.

        What came after `until` is another matter, but for the first good answer when there was none before.
        """
        after = [asked for asked in self.asked.copy() if moment <= asked.ended]
        first = min((asked.ended for asked in after if asked.is_good), default=until)
        seen = [asked for asked in after if asked.ended <= max(until, first)]
        ends = [moment, *sorted(asked.ended for asked in seen if asked.is_good)]
        silences = [later - earlier for earlier, later in pairwise(ends)]
        failures = [asked.ended - moment for asked in seen if not asked.is_good]
        return max([*silences, *failures], default=math.inf)

    def p99(self, spans: Sequence[tuple[float, float]]) -> float:
        """Of the answers that ended in one of the spans of time, in seconds."""
        seen = self.asked.copy()
        took = sorted(asked.took for since, until in spans for asked in seen if since <= asked.ended < until)
        return took[math.ceil(len(took) * 0.99) - 1]

    def _go(self, index: int) -> None:
        kept = _connection(self.port) if index % 2 else None
        turn = index
        while not self._over.is_set():
            turn += 1
            method, _, path = self.mix[turn % len(self.mix)].partition(" ")
            self.asked.append(ask(self.port, method, path, kept, client=index, key=f"{index}-{turn}"))
            time.sleep(self.pause)
        if kept is not None:
            kept.close()


def ask(
    port: int,
    method: str,
    path: str,
    kept: http.client.HTTPConnection | None = None,
    *,
    client: int = 0,
    key: str = "",
) -> Asked:
    """Ask once. A POST's body is its key."""
    connection = kept or _connection(port)
    status, said, began = 0, "", time.monotonic()
    try:
        connection.request(method, path, key if method == "POST" else None)
        response = connection.getresponse()
        said, status = response.read().decode(), response.status
    except (OSError, http.client.HTTPException) as error:
        said = repr(error)
        connection.close()
    ended = time.monotonic()
    if kept is None:
        connection.close()
    return Asked(f"{method} {path}", client, kept is not None, key, began, ended, status, said)


def _connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
