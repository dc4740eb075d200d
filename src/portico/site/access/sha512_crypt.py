"""sha512-crypt, https://www.akkadia.org/drepper/SHA-crypt.txt: Python has no crypt() any more (PEP 594)."""

from __future__ import annotations

import hashlib
import secrets

ROUNDS = 5000
"""The default rounds of crypt(3): 1 to 2 ms of CPU in nginx for each request."""
_LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SALT = 16
_SIZE = 64


def hashed(password: str, salt: str = "") -> str:
    """The password as `$6$salt$hash`; tests pass a `salt`."""
    word, given = password.encode(), salt or "".join(secrets.choice(_LETTERS) for _ in range(_SALT))
    digest = _stretched(word, given.encode(), _first(word, given.encode()))
    return f"$6${given}${_encoded(digest)}"


def _first(word: bytes, salt: bytes) -> bytes:
    inner = hashlib.sha512(word + salt + word).digest()
    made = hashlib.sha512(word + salt + _repeated(inner, len(word)))
    size = len(word)
    while size:
        made.update(inner if size & 1 else word)
        size >>= 1
    return made.digest()


def _stretched(word: bytes, salt: bytes, digest: bytes) -> bytes:
    words = _repeated(hashlib.sha512(word * len(word)).digest(), len(word))
    salts = _repeated(hashlib.sha512(salt * (16 + digest[0])).digest(), len(salt))
    for number in range(ROUNDS):
        made = hashlib.sha512(words if number & 1 else digest)
        made.update(salts if number % 3 else b"")
        made.update(words if number % 7 else b"")
        made.update(digest if number & 1 else words)
        digest = made.digest()
    return digest


def _repeated(text: bytes, size: int) -> bytes:
    return (text * (size // len(text) + 1))[:size]


def _encoded(digest: bytes) -> str:
    """Encodes three bytes as four characters, the lowest bits first; the bytes are taken in the order of the
    specification.
    """
    made, at = "", (0, 21, 42)
    for _ in range(21):
        made += _four(digest[at[0]] << 16 | digest[at[1]] << 8 | digest[at[2]], 4)
        at = (at[1] + 1, at[2] + 1, at[0] + 1)
    return made + _four(digest[_SIZE - 1], 2)


def _four(bits: int, count: int) -> str:
    return "".join(_LETTERS[bits >> 6 * number & 63] for number in range(count))
