"""How a web server is found on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator

from msgspec import Struct

from portico.place.model import Build


class Builds(Struct, frozen=True):
    """The builds that may be taken, the preferred one first; `note` says why another that is there may not."""

    first: Build
    others: tuple[Build, ...] = ()
    note: str = ""


class Finder(Struct, frozen=True):
    """Where to look for one program, and for the user of its workers."""

    program: str
    """As its process is called in a plan (`plan.gateway.kind`)."""
    found: Callable[[str], Builds]
    """The builds that a choice means: "auto", "embedded", "system" or a path. Raises UsageError without any."""
    programs: Callable[[], Iterator[tuple[str, str, str]]]
    """Each that is there, for whoever asks it alone: its name, its path, and where it is, in a few words."""
    variable: str
    """Names the choice where no option does: for images that know which one they hold, and not the app."""
    users: tuple[str, ...]
    """Names that systems give to the user of its workers, the first that is there counts."""
    decided_by: Collection[str]
    """Variables that would decide for it: they are not passed on."""

    def choice(self, option: str, *, is_said: bool) -> str:
        """The choice that counts: the option where somebody set it, else the environment's."""
        return option if is_said else os.environ.get(self.variable) or option
