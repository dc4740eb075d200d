"""What nginx is told to log of bytes that are no UTF-8, tried with Python's own decoder as the judge."""

from __future__ import annotations

import itertools
import random
import re

from portico.plan.gateway.nginx.log.text import _GONE, _NOT_UTF8, _PLAIN

PLAIN, WRONG = (
    re.compile(text.removeprefix("~").encode()) for text in (_PLAIN, _NOT_UTF8.replace("?<", "?P<", 1))
)
EDGES = bytes.fromhex("41 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff")


def logged(raw: bytes) -> bytes:
    if PLAIN.match(b"9:200:|" + raw):
        return raw
    found = WRONG.match(raw)
    return found["portico_utf8"] + "\N{REPLACEMENT CHARACTER}".encode() if found else raw


def check(raw: bytes) -> None:
    assert logged(raw) == expected(raw), raw


def expected(raw: bytes) -> bytes:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return raw[: error.start] + b"\xef\xbf\xbd"
    return raw


def test_text_is_logged_up_to_its_first_wrong_byte() -> None:
    for length in (0, 1, 2, 3):
        for raw in itertools.product(EDGES, repeat=length):
            check(bytes(raw))
    dice = random.Random(14)
    for _ in range(30_000):
        check(bytes(dice.choices(EDGES, k=dice.randrange(4, 12))))


def test_a_status_is_499_where_nothing_was_sent_of_an_answer_that_was_good() -> None:
    gone = re.compile(_GONE.removeprefix("~"))
    assert all(gone.match(text) for text in ("0:200", "0:304", "0:000", "17:000"))
    assert not any(gone.match(text) for text in ("10:200", "0:444", "0:499", "0:502", "200:200"))


def test_only_an_ordinary_request_is_logged_without_a_look() -> None:
    """What a proxy's headers say stands before the bar: no words of a client can move it."""
    gone = re.compile(_GONE.removeprefix("~"))
    for sent, status in itertools.product(
        ("0", "1", "17", "200"), ("000", "200", "304", "404", "444", "499", "502")
    ):
        is_plain = bool(PLAIN.match(f"{sent}:{status}:|/".encode()))
        assert is_plain != bool(gone.match(f"{sent}:{status}")), (sent, status)
    assert not any(
        PLAIN.match(b"9:200:" + head + b"|/") for head in (b"1.2.3.4", b"1:2:", b"9:200:", b" ", b"\xff")
    )
    assert PLAIN.match(b"9:200:|/?a=|b:c")
    assert not PLAIN.match(b"9:200:|/\x80")
