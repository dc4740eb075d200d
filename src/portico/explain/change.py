"""A changed line of a configuration."""

from __future__ import annotations

from msgspec import Struct

from portico.errors import Problem, UsageError


class Change(Struct, frozen=True):
    """The change: `text` replaces the directive, empty removes it; `line` 0: there is only one.

    `around` are the lines where the blocks in force for a request begin, the innermost first: a directive that is not
    there yet is added to the first of them that may have it, and so is one that `adds` to others of its name.
    """

    name: str
    text: str
    line: int = 0
    around: tuple[int, ...] = ()
    adds: bool = False

    @classmethod
    def parse(cls, words: str, at: str = "", *, drops: bool = False) -> Change:
        """`gzip off`, or `gzip` to remove it; `at` is a line: `nginx.conf:92` or `92`. Raises UsageError."""
        text = words.strip().rstrip(";").strip()
        number = at.rpartition(":")[2]
        if not text or "\n" in text:
            raise not_a_change(words)
        if at and not number.isdigit():
            raise UsageError(Problem("--at", f'"{at}" is not a line', "expected FILE:LINE, or a number"))
        return cls(text.split()[0], "" if drops else text, int(number) if at else 0)


def not_a_change(words: str) -> UsageError:
    """The error for words that are no directive."""
    hint = "expected a directive, like 'gzip off', or its name with --drop"
    return UsageError(Problem("", f'"{words}" is not a change', hint))
