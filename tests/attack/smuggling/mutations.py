"""Neighbours of the corpora, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from tests.attack.smuggling.corpus import Case, cases

_BYTES = [bytes([code]) for code in (*range(0x21), *b":;,=\"'()/\\_-+.0x19aZ", 0x7F, 0x80, 0x85, 0xA0, 0xFF)]
_PIECES = [
    *_BYTES,
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\r\n ",
    b"\r\n\t",
    b"0\r\n\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 7\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Expect: 100-continue\r\n",
    b"Host: b\r\n",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"chunked",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
]
_SHORTEST = 4000
"""Longer ones are mutated near their beginning: bytes in the middle of a long body change nothing."""


def mutations(seed: int, count: int) -> Iterator[Case]:
    """So many cases, one to four changes away from one of the corpora."""
    known, chance = cases(), Random(seed)
    for number in range(count):
        origin = chance.choice(known)
        data = origin.data
        for _ in range(chance.randint(1, 4)):
            data = chance.choice(_CHANGES)(data, chance, chance.choice(known).data)
        yield Case(f"seed {seed} number {number} of {origin.name}", data)


def _at(data: bytes, chance: Random) -> int:
    """Borders of lines are where readers differ."""
    ends = [at for at in range(min(len(data), _SHORTEST)) if data[at : at + 1] in (b"\r", b"\n", b":", b" ")]
    return (
        chance.choice(ends)
        if ends and chance.random() < 0.6
        else chance.randint(0, min(len(data), _SHORTEST))
    )


def _insert(data: bytes, chance: Random, _: bytes) -> bytes:
    at = _at(data, chance)
    return data[:at] + chance.choice(_PIECES) + data[at:]


def _replace(data: bytes, chance: Random, _: bytes) -> bytes:
    at = _at(data, chance)
    return data[:at] + chance.choice(_PIECES) + data[at + 1 :]


def _remove(data: bytes, chance: Random, _: bytes) -> bytes:
    at = _at(data, chance)
    return data[:at] + data[at + chance.randint(1, 3) :]


def _cut(data: bytes, chance: Random, _: bytes) -> bytes:
    return data[: chance.randint(1, max(1, len(data)))]


def _line_twice(data: bytes, chance: Random, _: bytes) -> bytes:
    lines = data.split(b"\r\n")
    at = chance.randrange(len(lines))
    return b"\r\n".join([*lines[:at], lines[at], *lines[at:]])


def _line_elsewhere(data: bytes, chance: Random, _: bytes) -> bytes:
    lines = data.split(b"\r\n")
    lines.insert(chance.randint(0, len(lines) - 1), lines.pop(chance.randrange(len(lines))))
    return b"\r\n".join(lines)


def _other_number(data: bytes, chance: Random, _: bytes) -> bytes:
    """A length or a chunk's size that is a little more or less."""
    lines = data.split(b"\r\n")
    numbered = [at for at, line in enumerate(lines) if line.rpartition(b" ")[2].isdigit() and len(line) < 100]
    if not numbered:
        return data
    at = chance.choice(numbered)
    head, blank, number = lines[at].rpartition(b" ")
    lines[at] = head + blank + b"%d" % max(0, int(number[:18]) + chance.choice((-2, -1, 1, 2, 5)))
    return b"\r\n".join(lines)


def _case(data: bytes, chance: Random, _: bytes) -> bytes:
    at, size = _at(data, chance), chance.randint(1, 20)
    return data[:at] + data[at : at + size].swapcase() + data[at + size :]


def _join(data: bytes, chance: Random, other: bytes) -> bytes:
    return (data + other)[: len(data) + 5000]


def _cross(data: bytes, chance: Random, other: bytes) -> bytes:
    """The beginning of one and the end of another."""
    return data[: _at(data, chance)] + other[_at(other, chance) :]


_CHANGES: list[Callable[[bytes, Random, bytes], bytes]] = [
    _insert, _insert, _insert, _replace, _replace, _remove, _cut, _line_twice, _line_elsewhere, _other_number, _case,
    _join, _cross,
]  # fmt: skip
