"""A pattern for bytes takes what Python's own takes, letter by letter, and nothing else."""

from __future__ import annotations

import random
import re
import unicodedata

import pytest

from portico.plan.gateway.nginx.syntax import quote
from portico.plan.letters import in_bytes

NGINX_WORD = 4095


@pytest.fixture(scope="module")
def letters() -> dict[str, bytes]:
    """Each with its UTF-8; not made before a test asks: each process collects every file."""
    return {chr(code): chr(code).encode() for code in range(0x110000) if not 0xD800 <= code < 0xE000}


def takes(regex: str, path: bytes) -> bool:
    made = in_bytes(regex, unicodedata.unidata_version)
    return re.fullmatch(made.encode(), path) is not None


@pytest.mark.parametrize(
    "regex",
    [r"\d", r"\s", r"\D", ".", "[^/]", r"[^/\d]", "[à-ü]", "[^é]", "[一-龥a]", r"[\d_]", "é", "(?s:.)", r"[\s\S]",
     r"\xe9", "[\u0100-\U00010fff]", r"\w"],
)  # fmt: skip
def test_each_letter_is_taken_as_python_takes_it(regex: str, letters: dict[str, bytes]) -> None:
    own, made = re.compile(regex), re.compile(in_bytes(regex, unicodedata.unidata_version).encode())
    taken, expected = map(made.fullmatch, letters.values()), map(own.fullmatch, letters)
    wrong = [
        letter
        for letter, is_taken, is_expected in zip(letters, taken, expected, strict=True)
        if (is_taken is None) != (is_expected is None and (regex != r"\w" or letter.isascii()))
    ]
    assert not [hex(ord(letter)) for letter in wrong]


def test_a_digit_of_a_later_unicode_is_one_for_those_who_know_it() -> None:
    letter = "\U00011f50".encode()
    assert not re.fullmatch(in_bytes(r"\d", "14.0.0").encode(), letter)
    assert re.fullmatch(in_bytes(r"\d", "15.1.0").encode(), letter)


@pytest.mark.parametrize("regex", ["[^/]{2}", "[^/]{1,3}", ".?", r"\D{2,}", "[^/]{3}a", "é{2}", r"[\d-]{2}"])
def test_a_count_counts_letters_and_pieces_of_broken_ones(regex: str) -> None:
    """As Werkzeug and Starlette read them: with U+FFFD for each piece."""
    dice = random.Random(regex)
    pieces = [b"a", b"\xc3\xa9", b"\xc3", b"\xa9", b"\xe2\x82", b"\xe2\x82\xac", b"\xff", b"\xd9\xa5", b"\xf0\x9f\x98",
              b"\xed\xa0", b"\xf4\x90", b"-", b"7"]  # fmt: skip
    for _ in range(5000):
        path = b"".join(dice.choice(pieces) for _ in range(dice.randint(0, 4)))
        said = re.fullmatch(regex, path.decode("utf-8", "replace")) is not None
        assert takes(regex, path) == said, path


@pytest.mark.parametrize("path", ["\u212aey", "KEY", "key", "\u017f", "S", "É", "é"])
def test_cases_are_left_out_of_account_as_python_does(path: str) -> None:
    regex = "(?i:key|[a-s]|é)"
    assert takes(regex, path.encode()) == (re.fullmatch(regex, path) is not None)


@pytest.mark.parametrize(
    "regex",
    ["/a/(?:[^/]+)", "/b(?s:.*)", "/c/(?:[a-z0-9]{8}-[0-9]+)/?\n?", r"/x\.y", "/é/x", "/f/(?:[^/].*?)"],
)
def test_a_pattern_to_which_letters_are_bytes_stays_as_it_is(regex: str) -> None:
    assert in_bytes(regex, "14.0.0") == regex


def test_a_pattern_of_many_digits_is_still_a_word_for_nginx() -> None:
    regex = "".join(f"/(?:[^/]{{2}})/(?:\\d+)-{number}" for number in range(4))
    made = in_bytes(regex, "16.0.0")
    assert len(quote(made)) < NGINX_WORD
    assert re.fullmatch(made.encode(), "".join(f"/äö/٣-{number}" for number in range(4)).encode())
