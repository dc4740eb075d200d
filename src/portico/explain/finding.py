"""What is wrong in a configuration, whoever wrote it and in whatever language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from portico.explain.node import Node
from portico.place.model import Build

Harm = Literal["breaks", "hole", "loss", "slow", "hint"]
HARMS: dict[Harm, str] = {
    "breaks": "visitors get errors, or no answer",
    "hole": "somebody gets what is not theirs",
    "loss": "data, logins or work are lost",
    "slow": "it works, and waits",
    "hint": "something does not do what it says",
}
"""In the order of the output."""


class Code(NamedTuple):
    """`finds` is the problem if it is a warning or a fault."""

    harm: Harm
    finds: str


class Fix(Struct, frozen=True):
    """`how` says where the lines go, as a sentence without a full stop; `lines` are exact, none to take one out."""

    how: str
    lines: tuple[str, ...] = ()


class Finding(Struct, frozen=True):
    """One fault of a configuration.

    `code` is stable; `severity` is its kind of harm. `what` is the fault and `harm` what somebody can do or what
    breaks, each a clause without a capital and a full stop. `where` names the blocks around the line.
    """

    code: str
    severity: Harm
    file: str
    line: int
    where: str
    what: str
    harm: str
    fix: Fix

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


class Backend(Struct, frozen=True):
    """Settings of the app server that a configuration passes to, read from a file beside it.

    `timeout` in seconds and `largest_body` in bytes; None if unknown. `place` is the file and line.
    """

    place: str
    timeout: float | None = None
    largest_body: int | None = None


class Finds(Protocol):
    """Finds the faults of a configuration, the worst first; pure."""

    def __call__(
        self, root: Node, build: Build | None = None, backends: Sequence[Backend] = ()
    ) -> list[Finding]:
        """`build` is the program that reads it; without one, nothing is said about versions."""
