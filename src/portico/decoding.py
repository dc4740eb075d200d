"""Decodes untrusted text, with one error for all failures.

Logs, and the files of the app's workers, may contain anything: the app's user writes there. JSON that is nested too
deeply is a RecursionError, which is not a ValueError, and an integer of a thousand digits overflows later
computations.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

T = TypeVar("T")

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What a decoder may raise; UnicodeDecodeError is a ValueError."""
LARGEST = 1 << 53
"""Every number up to here is exact in JSON, and in a float."""
Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
"""A number of bytes, a moment in nanoseconds."""
Pid = Annotated[int, msgspec.Meta(ge=0, le=1 << 22)]
"""The kernel uses no larger ones (proc(5), pid_max)."""
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
Moment = Annotated[float, msgspec.Meta(ge=0, le=1e10)]
"""Seconds since 1970: a year that a calendar has, and nanoseconds that fit 64 bits."""


class UnreadableError(ValueError):
    """The text is not what was expected."""


def decoded(text: bytes | str, kind: type[T]) -> T:
    """JSON as a value of that type. Raises UnreadableError, whatever is wrong with it."""
    try:
        return msgspec.json.decode(text, type=kind)
    except UNREADABLE as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from None


def fields(text: bytes | str) -> dict[str, Any]:
    """A JSON object with unknown fields. Raises UnreadableError."""
    return decoded(text, dict[str, Any])


def number(text: str) -> int:
    """A decimal number of at most fifteen digits, 0 or more. Raises UnreadableError."""
    if len(text) > _DIGITS or not (text.isascii() and text.isdigit()):
        raise UnreadableError(f"{text[:_DIGITS]!r} is not a number")
    return int(text)


_DIGITS = 15
