"""Sends spans to a collector by OTLP over HTTP, from a thread of its own.

The queue is bounded: it contains log lines, as they were read. An absent collector is retried, and reported once;
lines without room are counted. Of very many requests some are left out.
"""

from __future__ import annotations

import gzip
import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice

import requests

from portico import backoff
from portico.errors import Problem
from portico.log.reader import request_reader
from portico.log.request import Request
from portico.plan.subjects import Tracing
from portico.reading import Reader
from portico.watch.spans.encode import Encoder

ROOM_BYTES = 8 << 20
"""Log lines that wait, some ten thousand; more are dropped and counted."""
REQUESTS_A_SECOND = 500
"""Beyond this, some are left out: making and sending the spans of so many takes a twentieth of one core."""
_BURST_SECONDS = 10
_GATHER_SECONDS = 1.0
_PIECE_BYTES = 1 << 20
_BATCH = 512
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_CONNECT_SECONDS, _ANSWER_SECONDS = 3.0, 10.0
_AGAIN = frozenset({408, 429, 502, 503, 504})
"""Statuses after which the same may be sent again; after others it would be refused again."""
_SENT, _THINNED, _LOST = "sent", "thinned", "lost"


class _FailedError(Exception):
    """A failed request to the collector; `is_final` if a retry would fail, too."""

    def __init__(self, what: str, *, is_final: bool) -> None:
        super().__init__(what)
        self.is_final = is_final


class Sender:
    """`take` lines from one thread; `counts` are requests by the outcome of their spans."""

    def __init__(self, tracing: Tracing) -> None:
        self.counts = {_SENT: 0, _THINNED: 0, _LOST: 0}
        self._tracing = tracing
        self._encoder = Encoder(tracing)
        self._reader = request_reader()
        self._session = requests.Session()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._said: deque[Problem] = deque()
        self._is_down = self._is_thinning_known = False
        self._lost_before = 0
        self._allowed, self._allowed_at = float(REQUESTS_A_SECOND * _BURST_SECONDS), time.monotonic()
        self._lock = threading.Lock()
        self._came, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._go, name="spans", daemon=True)
        self._thread.start()

    def take(self, text: bytes) -> None:
        """Adds complete log lines, each with its end."""
        if not text:
            return
        with self._lock:
            if self._size + len(text) > ROOM_BYTES:
                self.counts[_LOST] += text.count(b"\n")
                return
            self._waiting.append(text)
            self._size += len(text)
        self._came.set()

    def problems(self) -> Iterator[Problem]:
        """Messages for people since the last call."""
        while self._said:
            yield self._said.popleft()

    def close(self, seconds: float = 0) -> None:
        """Sends what is left and ends, within that time."""
        self._over.set()
        self._came.set()
        self._thread.join(seconds)

    def _go(self) -> None:
        while True:
            text = b""
            try:
                text = self._next()
                chosen = iter(self._chosen(text))
                while batch := [*islice(chosen, _BATCH)]:
                    self._deliver(batch)
            except Exception as error:  # noqa: BLE001  a fault here must not end the thread: spans are not vital
                self._lose(text.count(b"\n"), f"{type(error).__name__}: {error}")
                self._over.wait(_FIRST_PAUSE)
            if not text and self._over.is_set():
                return

    def _next(self) -> bytes:
        """The next lines, gathered for a moment; empty at the end."""
        self._came.wait()
        self._over.wait(_GATHER_SECONDS)
        with self._lock:
            taken = list[bytes]()
            while self._waiting and sum(map(len, taken)) < _PIECE_BYTES:
                taken.append(self._waiting.popleft())
            self._size -= sum(map(len, taken))
            if not (self._waiting or self._over.is_set()):
                self._came.clear()
        return b"".join(taken)

    def _chosen(self, text: bytes) -> list[Request]:
        """The requests of sampled traces; of too many each n-th, and all that failed."""
        read = self._reader.read(text.split(b"\n")[:-1])
        wanted = [request for request in read if self._encoder.is_wanted(request)]
        self._say_unread()
        now = time.monotonic()
        most = REQUESTS_A_SECOND * _BURST_SECONDS
        self._allowed = min(most, self._allowed + (now - self._allowed_at) * REQUESTS_A_SECOND)
        self._allowed_at = now
        stride = math.ceil(len(wanted) / max(1.0, self._allowed))
        if stride > 1:
            kept = [request for at, request in enumerate(wanted) if at % stride == 0 or request.is_failed]
            kept = kept[:most]
            self.counts[_THINNED] += len(wanted) - len(kept)
            self._say_thinned()
            wanted = kept
        self._allowed = max(0.0, self._allowed - len(wanted))
        return wanted

    def _deliver(self, batch: list[Request]) -> None:
        """Sends it, with retries; gives up at the end, or if it is refused."""
        body, failures = gzip.compress(self._encoder.message(batch), 5), 0
        while True:
            try:
                self._post(body)
            except _FailedError as error:
                self._say_down(str(error))
                if error.is_final or self._over.is_set():
                    self.counts[_LOST] += len(batch)
                    return
                failures += 1
                self._over.wait(backoff.pause(failures, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE))
            else:
                self.counts[_SENT] += len(batch)
                self._say_up()
                return

    def _post(self, body: bytes) -> None:
        """Raises _FailedError."""
        try:
            headers = {**_headers(self._tracing.headers_file, self._tracing.reader), **_OWN_HEADERS}
            timeout = (_CONNECT_SECONDS, _ANSWER_SECONDS)
            answer = self._session.post(
                self._tracing.url, body, headers=headers, timeout=timeout, allow_redirects=False
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _FailedError(_why(error), is_final=False) from error
        except (requests.RequestException, OSError, ValueError) as error:
            raise _FailedError(str(error), is_final=True) from error
        if answer.status_code // 100 != 2:
            what = f"the collector answers {answer.status_code} {answer.reason}".rstrip()
            raise _FailedError(what, is_final=answer.status_code not in _AGAIN)

    def _lose(self, lines: int, why: str) -> None:
        self.counts[_LOST] += lines
        self._say_down(why)

    def _say_down(self, why: str) -> None:
        if self._is_down:
            return
        self._is_down, self._lost_before = True, self.counts[_LOST]
        hint = "it is tried again; requests are served as ever, and the log has them all"
        self._said.append(Problem(self._tracing.url, f"no spans are sent: {why}", hint))

    def _say_up(self) -> None:
        if not self._is_down:
            return
        self._is_down = False
        lost = self.counts[_LOST] - self._lost_before
        words = f"lost meanwhile: those of {lost} request{'s' * (lost > 1)}" if lost else "none was lost"
        self._said.append(Problem(self._tracing.url, f"spans are sent again; {words}"))

    def _say_unread(self) -> None:
        if what := self._reader.complaint():
            self._said.append(Problem("tracing", what, "their requests have no spans"))

    def _say_thinned(self) -> None:
        if self._is_thinning_known:
            return
        self._is_thinning_known = True
        what = f"more than {REQUESTS_A_SECOND} requests a second: the spans of some are left out"
        hint = "set tracing.sample to the share that you want; portico_traced_requests_total counts them"
        self._said.append(Problem(self._tracing.url, what, hint))


_OWN_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "gzip",
    "User-Agent": "portico",
}


def _headers(path: str, reader: Reader) -> dict[str, str]:
    """The headers of the user's file, read anew: a changed key is used at once."""
    if not path:
        return {}
    pairs = (line.partition(":") for line in reader.text(path).splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _why(error: requests.RequestException) -> str:
    """The innermost reason, in a few words."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror and not isinstance(inner, requests.RequestException):
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    return str(error).partition("\n")[0][:200]
