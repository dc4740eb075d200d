"""What `portico tune` would write into portico.toml, and how it is written: the old file stays under another name."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from portico.check.fix.changes import TextChange
from portico.check.fix.files import refuse_foreign, second_name, without_second_name
from portico.check.fix.toml_lines import with_value
from portico.errors import PorticoError, Problem, UsageError
from portico.measure.tune.model import Candidate
from portico.place.untrusted import content
from portico.site.load import FILE
from portico.site.model import Site

_SHORT = {key: key[:1] for key in (("workers", "count"), ("cache", "size"))}
"""Keys that may be written as the value of their table."""
_HINT = "leave --apply out, and write the lines yourself; no link is followed"


class Config(Struct, frozen=True):
    """A portico.toml as it was when the measurement began."""

    path: Path
    text: str
    exists: bool


def config_of(site: Site) -> Config:
    """Raises PorticoError if it cannot be read."""
    path = Path(site.origin if site.origin.endswith(".toml") else f"{site.directory}/{FILE}").absolute()
    try:
        found = site.reader.bytes(path) if path.is_symlink() else content(path)
        return Config(path, found.decode(), exists=True)
    except FileNotFoundError:
        return Config(path, "", exists=False)
    except (OSError, ValueError) as error:
        raise PorticoError(Problem(str(path), f"cannot be read: {error}")) from None


def refuse_unwritable(config: Config) -> None:
    """Raises UsageError, before minutes of measuring are lost."""
    try:
        refuse_foreign(config.path, _owners(config))
        is_writable = os.access(config.path.parent, os.W_OK)
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise UsageError(Problem(str(config.path), what, _HINT)) from None
    if not is_writable:
        raise UsageError(Problem(str(config.path), "cannot be written by this user", _HINT))


def changed(config: Config, kept: Iterable[Candidate]) -> tuple[TextChange, list[Candidate]]:
    """The new text, and the settings that have no simple place in the file."""
    text, left = config.text, list[Candidate]()
    for one in kept:
        try:
            text = _with(text, one)
        except ValueError:
            left.append(one)
    return TextChange(config.path, config.text, text, _owners(config)), left


def _owners(config: Config) -> frozenset[int]:
    return frozenset({os.geteuid(), config.path.parent.stat().st_uid})


def _with(text: str, one: Candidate) -> str:
    """Raises ValueError."""
    try:
        return with_value(text, one.key, one.toml)
    except ValueError:
        if one.key not in _SHORT:
            raise
        return with_value(text, _SHORT[one.key], one.toml)


def apply(change: TextChange, config: Config) -> Path | None:
    """Returns where the old text is, None if there was none. Raises PorticoError; the file is as it was then."""
    saved = None
    try:
        if config.exists:
            name = f"{config.path.name}.{time.strftime('%Y%m%d-%H%M%S')}"
            second_name(config.path, name)
            saved = config.path.with_name(name)
        change.apply()
    except OSError as error:
        if saved:
            with suppress(OSError):
                without_second_name(config.path, saved.name)
        what = f"was not changed: {error.strerror or error}"
        raise PorticoError(
            Problem(str(config.path), what, "write the lines yourself; no link is followed")
        ) from None
    return saved
