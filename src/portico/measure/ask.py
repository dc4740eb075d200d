"""Single requests to programs that are measured: are they there, what do they answer, what do slow clients do."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack

from msgspec import Struct

from portico.measure.model import SLOW_CLIENTS
from portico.measure.programs import Programs

_ANSWER_SECONDS = 10.0
_SLOW_SECONDS = 2.0
_PAUSE_SECONDS = 0.05
_LARGEST = 256 << 20
"""Of an answer, in bytes."""
_NOT_YET = (502, 503, 504)


class PeerError(Exception):
    """A contender did not start, or answers something else than the others do."""


class Answer(Struct, frozen=True):
    status: int
    ms: float
    ends_with_connection: bool
    """It says no length: Django's own server answers so."""


def together(answers: Sequence[tuple[Answer, int]]) -> Answer:
    """Several as one, each as often as it is asked."""
    mean = sum(one.ms * times for one, times in answers) / sum(times for _, times in answers)
    return Answer(answers[0][0].status, mean, any(one.ends_with_connection for one, _ in answers))


class Page(Struct, frozen=True):
    """A whole answer. The names of headers are in lower case."""

    answer: Answer
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """All its values with commas between them; empty if there is none."""
        return ", ".join(value for each, value in self.headers if each == name)


def ask(port: int, path: str, host: str, timeout: float = _ANSWER_SECONDS) -> Answer:
    """One GET. Raises OSError and HTTPException."""
    return page(port, path, host, timeout).answer


def page(port: int, path: str, host: str, timeout: float = _ANSWER_SECONDS) -> Page:
    """The same, with all of the answer, which must end in time: a stream does not. Raises OSError and HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    begun = time.monotonic()
    try:
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
        answer = connection.getresponse()
        ends_with_connection = answer.length is None and not answer.chunked
        body = _body(answer, begun + timeout)
        told = Answer(answer.status, (time.monotonic() - begun) * 1e3, ends_with_connection)
        return Page(told, tuple((name.lower(), value) for name, value in answer.getheaders()), body)
    finally:
        connection.close()


def _body(answer: http.client.HTTPResponse, end: float) -> bytes:
    """Raises OSError and HTTPException."""
    made = bytearray()
    while part := answer.read1(1 << 16):
        made += part
        if time.monotonic() > end:
            raise TimeoutError("the answer does not end: a stream cannot be measured")
        if len(made) > _LARGEST:
            raise OSError(f"the answer has more than {_LARGEST >> 20} MiB")
    if answer.length:  # read1 does not say so
        raise http.client.IncompleteRead(bytes(made), answer.length)
    return bytes(made)


def wait_until_ready(programs: Programs, path: str, host: str, seconds: float) -> None:
    """Raises PeerError."""
    end = time.monotonic() + seconds
    problem = "no answer"
    while time.monotonic() < end:
        if dead := programs.dead():
            raise PeerError(f"{dead}: {programs.last_words()}")
        try:
            status = ask(programs.port, path, host).status
        except (OSError, http.client.HTTPException) as error:
            problem = str(error)
        else:
            if status not in _NOT_YET:
                return
            problem = f"GET {path} gave {status}"
        time.sleep(_PAUSE_SECONDS)
    raise PeerError(f"not ready after {seconds:.0f} s ({problem}): {programs.last_words()}")


def stands_slow_clients(port: int, path: str, host: str) -> bool:
    """Whether a request is answered within two seconds while others have sent half of theirs."""
    with ExitStack() as stack:
        try:
            for _ in range(SLOW_CLIENTS):
                slow = stack.enter_context(socket.create_connection(("127.0.0.1", port), _SLOW_SECONDS))
                slow.sendall(f"GET {path} HTTP/1.1\r\nHost: ".encode())
            time.sleep(_PAUSE_SECONDS)
            ask(port, path, host, _SLOW_SECONDS)
        except (OSError, http.client.HTTPException):
            return False
    return True
