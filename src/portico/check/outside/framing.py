"""Requests that contradict themselves: refused at once, or read differently by two servers?

Nothing here is left behind for another client. The only sign of two readings is a server that waits for bytes which
the one in front of it has not passed on; when the first kind is found, the second is not tried, since its last byte
could then stay in a connection that others use.
"""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.model import Finding
from portico.check.outside.client import Answer
from portico.check.outside.look import Look

_WAIT_SECONDS = 6.0
"""Longer than any honest answer; shorter than what servers wait for a body."""
_SLOWEST = 3.0
_CODINGS = {
    "Transfer-Encoding": "Transfer-Encoding: chunked",
    "a blank before the colon": "Transfer-Encoding : chunked",
    "a tab behind the colon": "Transfer-Encoding:\tchunked",
    "two codings": "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
    "a vertical tab": "Transfer-Encoding: \x0bchunked",
    "another word": "Transfer-Encoding: xchunked",
}
_TELL_NOTHING = (0, 400, 403, 429, 503)
"""Statuses that a sound request should not have had, either."""
_REFUSE = "let nginx (1.22 or newer) be the first server that reads requests; no other proxy between it and the clients"
_CONNECTIONS = (
    "update both servers; until then, one connection for each request between them (no keepalive upstream)"
)


def framing_findings(look: Look) -> Iterator[Finding]:
    if _probe(look, "", "Content-Length: 1", b"X").silent:
        yield look.ok(
            "it does not answer a small POST in time, so the framing of bodies was not tested",
            "url-framing",
        )
        return
    found = [*_smuggled(look), *_taken(look)]
    yield from found
    if not found:
        yield look.ok("requests with contradicting lengths and codings are refused at once", "url-framing")


def _smuggled(look: Look) -> Iterator[Finding]:
    """A body that is whole by its length and not by its coding, then the reverse."""
    for name, coding in _CODINGS.items():
        if _hangs(look, coding, "Content-Length: 4", b"1\r\nA\r\nX"):
            yield _finding(look, f"the first server reads Content-Length, the next one the coding ({name})")
            return
    for name, coding in _CODINGS.items():
        if _hangs(look, coding, "Content-Length: 6", b"0\r\n\r\nX"):
            yield _finding(look, f"the first server reads the coding ({name}), the next one Content-Length")
            return


def _finding(look: Look, what: str) -> Finding:
    harm = f"{what}: one request can hide in another, and is answered as if another client had sent it"
    return look.fault("Transfer-Encoding", harm, _CONNECTIONS, "url-smuggling")


def _hangs(look: Look, coding: str, length: str, body: bytes) -> bool:
    """Twice, with a sound request between that is answered at once."""
    for _ in range(2):
        if not _probe(look, coding, length, body).silent:
            return False
        sound = look.client.get()
        if sound.silent or sound.seconds > _SLOWEST:
            return False
    return True


def _probe(look: Look, coding: str, length: str, body: bytes) -> Answer:
    lines = [line for line in (coding, length) if line]
    head = look.client.head(look.target.path, *lines, "Content-Type: text/plain", method="POST")
    return look.client.raw(head + body, _WAIT_SECONDS)


def _taken(look: Look) -> Iterator[Finding]:
    """RFC 9112, 2.2, 5.1, 5.2 and 6.3: each must be refused. No body follows, so nothing stays anywhere."""
    plain = look.client.get(method="POST").status
    taken = [name for name, lines in _cases(look.client.mark).items() if _post(look, lines).status == plain]
    if taken and plain not in _TELL_NOTHING:
        what = f"answered like any other: a request with {', '.join(taken)}; servers behind may read it differently"
        yield look.warning("request", what, _REFUSE, "url-framing")


def _cases(mark: str) -> dict[str, str]:
    return {
        "two lengths": "Content-Length: 0\r\nContent-Length: 1",
        "a length with a sign": "Content-Length: +0",
        "a length that is no number": "Content-Length: 0x0",
        "a blank before the colon of a header": f"X-{mark} : y",
        "a folded header": f"X-{mark}: y\r\n z",
        "a carriage return in a header": f"X-{mark}: y\rz",
        "a NUL in a header": f"X-{mark}: y\x00z",
    }


def _post(look: Look, lines: str) -> Answer:
    return look.client.raw(look.client.head(look.target.path, lines, method="POST"), _WAIT_SECONDS)
