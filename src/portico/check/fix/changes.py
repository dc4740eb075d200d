"""What the findings say that may be changed, as differences to look at first."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from portico.check.fix.files import replace, without_rights
from portico.check.fix.toml_lines import with_key
from portico.check.model import Finding, Mode, Setting
from portico.place.untrusted import content

_BITS = {"o-r": stat.S_IROTH, "o-w": stat.S_IWOTH}


class ModeChange(Struct, frozen=True):
    """A file or folder that loses rights."""

    path: Path
    bits: int
    before: int
    owners: frozenset[int]

    @property
    def diff(self) -> tuple[str, ...]:
        after = self.before & ~self.bits
        return tuple(
            f"{sign}{stat.filemode(mode)} {self.path}" for sign, mode in (("-", self.before), ("+", after))
        )

    def apply(self) -> None:
        """Raises OSError."""
        without_rights(self.path, self.bits, self.owners)


class TextChange(Struct, frozen=True):
    """A file with more lines."""

    path: Path
    before: str
    after: str
    owners: frozenset[int]

    @property
    def diff(self) -> tuple[str, ...]:
        name = str(self.path)
        lines = difflib.unified_diff(
            self.before.splitlines(), self.after.splitlines(), name, name, n=1, lineterm=""
        )
        return tuple(lines)

    def apply(self) -> None:
        """Raises OSError."""
        replace(self.path, self.before.encode(), self.after.encode(), self.owners)


Change = ModeChange | TextChange


def changes(findings: Iterable[Finding], config: Path) -> list[Change]:
    """Of files of ours and of the owner of the folder of `config`, which is portico.toml.

    Raises ValueError where a line has no simple place in it, and OSError where it cannot be read.
    """
    fixes = list(dict.fromkeys(fix for finding in findings for fix in finding.fixes))
    owners = frozenset({os.geteuid(), config.parent.stat().st_uid})
    settings = [fix for fix in fixes if isinstance(fix, Setting)]
    return [*_modes(fixes, owners), *(_text(settings, config, owners) if settings else ())]


def _modes(fixes: Iterable[Mode | Setting], owners: frozenset[int]) -> Iterator[Change]:
    for fix in fixes:
        if isinstance(fix, Mode):
            yield ModeChange(Path(fix.path), _BITS[fix.without], Path(fix.path).lstat().st_mode, owners)


def _text(settings: Iterable[Setting], config: Path, owners: frozenset[int]) -> Iterator[Change]:
    try:
        before = content(config).decode()
    except FileNotFoundError:
        before = ""
    after = before
    for one in settings:
        after = with_key(after, one.key, one.value)
    yield TextChange(config, before, after, owners)
