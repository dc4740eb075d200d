"""What the user wrote in the language of a gateway, as it was read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct


class OwnFile(NamedTuple):
    """A file or directory that the gateway's workers read, absolute; the directive that names it, and its line."""

    path: str
    directive: str
    where: str


class Own(Struct, frozen=True):
    """One of the user's directives at the top level of its block, unchanged, with the comments above it.

    `name` is empty for text that could not be parsed. `causes` are the places of its lines ("portico.toml:12").
    """

    text: str
    name: str = ""
    args: tuple[str, ...] = ()
    is_block: bool = False
    causes: tuple[str, ...] = ()
    answers: bool = False
    """It is a block that answers requests for paths of its own."""

    @property
    def is_simple(self) -> bool:
        return bool(self.name) and not self.is_block


class OwnText(Struct, frozen=True):
    """All that the options of one gateway hold of it."""

    above: tuple[Own, ...] = ()
    """For everything of the site."""
    server: tuple[Own, ...] = ()
    """For the server of the site."""
    files: Sequence[OwnFile] = ()
    """Files that these directives name and the gateway's workers read."""


def has_directive(owns: Iterable[Own], *names: str) -> bool:
    """Whether one of the directives has one of these names."""
    return any(one.name in names for one in owns)
