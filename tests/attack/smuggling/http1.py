"""The cases of HTTP/1: sent, and compared with what a strict reader makes of their bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.attack.smuggling.compare import Connection, findings
from tests.attack.smuggling.corpus import Case
from tests.attack.smuggling.judge import Line
from tests.attack.smuggling.reading import Read, read, requests
from tests.attack.smuggling.sending import ask, everybody
from tests.attack.target import Target

_ANSWERED = b"OPTIONS * "
"""httpd answers it itself, and writes no id into the answer."""


class Bytes:
    """The requests in the bytes of one connection, one behind the other."""

    def __init__(self, data: bytes, *, is_httpd: bool = False) -> None:
        self._data, self._is_httpd = data, is_httpd
        self._at: int | None = 0

    def take(self, line: Line, *, is_passed: bool) -> Read | None:
        one = read(self._data, self._at, is_httpd=self._is_httpd)
        self._at = one.then if isinstance(one, Read) else None
        return one if isinstance(one, Read) else None

    def rest(self) -> Sequence[Read]:
        return requests(self._data, self._at, is_httpd=self._is_httpd)[0]


def compared(target: Target, cases: Sequence[Case], port: int = 0) -> Iterator[tuple[str, str]]:
    """(case, finding or ""). They are sent to the site, or to a port in front of it."""
    if target.is_httpd:
        cases = [case for case in cases if not case.data.startswith(_ANSWERED)]
    numbered = list(zip(target.addresses(len(cases)), cases, strict=True))
    told = everybody(numbered, lambda one: ask(port or target.run.port, one[0], one[1].data))
    yield from findings(
        target,
        [
            Connection(case.name, Bytes(case.data, is_httpd=target.is_httpd), one, case.valid)
            for case, one in zip(cases, told, strict=True)
        ],
    )
