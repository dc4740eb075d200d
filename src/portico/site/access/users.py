"""Files of users: a name and a password hash on each line, in formats that every supported nginx can verify."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

LINE = re.compile(r"(?P<name>[^:#\s\x00-\x1f\x7f][^:\x00-\x1f\x7f]*):(?P<hash>[^:]+)")
_TAIL = "[./0-9A-Za-z]"
_HASHES = (
    re.compile(rf"\$6\$(?:rounds=(?P<rounds>\d{{4,9}})\$)?{_TAIL}{{1,16}}\${_TAIL}{{86}}"),
    re.compile(rf"\$5\$(?:rounds=(?P<rounds>\d{{4,9}})\$)?{_TAIL}{{1,16}}\${_TAIL}{{43}}"),
    re.compile(rf"\$2[aby]\$(?P<cost>\d\d)\${_TAIL}{{53}}"),
    re.compile(rf"\$apr1\${_TAIL}{{1,8}}\${_TAIL}{{22}}"),
)
"""sha512-crypt, sha256-crypt, bcrypt, Apache's MD5: both musl's crypt() and Debian's verify them."""
_REFUSED = {
    "$y$": "yescrypt, which the nginx that comes with Portico cannot verify",
    "$7$": "scrypt, which the nginx that comes with Portico cannot verify",
    "$argon2": "argon2, which no nginx can verify",
    "{PLAIN}": "the password itself",
    "{SHA}": "SHA-1 without salt, which is cracked in seconds",
    "{SSHA}": "SHA-1, which allows a billion guesses a second",
    "$1$": "MD5, which allows fast guesses",
}
_LOOKS_HASHED = re.compile(r"[./0-9A-Za-z${}=+,-]+")
_SECONDS_A_ROUND = 0.33e-6
_SECONDS_OF_BCRYPT = 42e-3 / (1 << 10)
_USUAL_ROUNDS = 5000


class Wrong(Struct, frozen=True):
    """A line that cannot be used: its number and its fault."""

    number: int
    what: str


def entries(text: str) -> Iterator[tuple[str, str] | Wrong]:
    """The name and hash of each line, without blank lines and comments."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = LINE.fullmatch(line.rstrip())
        if found is None:
            yield Wrong(number, "is not name:hash")
        elif why := _why_not(found["hash"]):
            yield Wrong(number, f'the hash of "{found["name"]}" is {why}')
        else:
            yield found["name"], found["hash"]


def foreign(lines: Sequence[str]) -> int:
    """The number of the first line that does not belong in a file of users, whatever its hash; 0 if there is none."""
    for number, line in enumerate(lines, 1):
        found = LINE.fullmatch(line.rstrip())
        if (
            line.strip()
            and not line.startswith("#")
            and not (found and _LOOKS_HASHED.fullmatch(found["hash"]))
        ):
            return number
    return 0


def seconds(hashed: str) -> float:
    """CPU seconds for one verification; measured with both builds on one machine."""
    found = next(match for known in _HASHES if (match := known.fullmatch(hashed)))
    known = found.groupdict()
    if known.get("cost"):
        return float(_SECONDS_OF_BCRYPT * (1 << int(known["cost"])))
    return int(known.get("rounds") or _USUAL_ROUNDS) * _SECONDS_A_ROUND


def _why_not(hashed: str) -> str:
    if any(known.fullmatch(hashed) for known in _HASHES):
        return ""
    for start, why in _REFUSED.items():
        if hashed.startswith(start):
            return why
    return "not one that every nginx can verify"
