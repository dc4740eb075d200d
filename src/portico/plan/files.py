"""What is written and started: files line by line, with the reason for each line, directories and processes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct, field

from portico.values import Secrets

CONF = "{conf}"
"""A placeholder in a Process for the directory of its files; see `Process.at`."""


class Line(Struct, frozen=True):
    """One line of a file, and its reason. A Struct, as Directive is: a gateway's plan has 250 000 of them.

    `cause` is the option or fact that decided it, `source` a link to read on. `is_users` marks the user's own
    lines; a line without content (a blank, a closing brace) has no reason.
    """

    text: str
    why: str = ""
    source: str = ""
    cause: str = ""
    is_users: bool = False


class File(Struct, frozen=True):
    """A file to write, by its path below the configuration directory."""

    path: str
    lines: tuple[Line, ...]
    mode: int = 0o644
    group: str = ""
    """The group that may read it, if the mode says so; empty: Portico's own."""
    is_secret: bool = False
    """Its content is never shown."""

    @property
    def content(self) -> str:
        return "".join(f"{line.text}\n" for line in self.lines)


class Directory(Struct, frozen=True):
    """A directory that must exist before anything starts; `owner` is a user name, empty for Portico's own."""

    path: str
    mode: int
    owner: str = ""
    group: str = ""
    is_secret: bool = False
    """Only its owner may enter, not even the gateway's user."""
    holds: tuple[str, ...] = ()
    """Patterns of the only names that may be in it, as in fnmatch; empty: it is Portico's by its name."""


_PASSWORD = re.compile(r"://[^/\s:@]*:(?![$])[^/\s@]+@")


class Process(Struct, frozen=True):
    """A program to run: an argv, never a shell line. `env` is added to the inherited environment."""

    name: str
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    user: str = ""
    """The user that it runs as; empty: the user of Portico."""
    secrets: Secrets = field(default_factory=Secrets)
    """More of the environment, which wins over `env`: the user's own variables."""
    python: str = ""
    """The app's interpreter, for a command of the user's: programs beside it are found first."""

    def at(self, conf: str) -> tuple[str, ...]:
        """The argv with the configuration directory filled in."""
        return tuple(word.replace(CONF, conf) for word in self.argv)

    @property
    def shows_password(self) -> bool:
        """Whether a word of it is a URL with a password that is no variable of a shell."""
        return any(map(_PASSWORD.search, self.argv))


_CLAUSE = 100
"""Letters of a shortened reason."""


def shortened(why: str) -> str:
    """The first clause of a reason, on one line: a comment for people."""
    clause = " ".join(why.split()).partition("; ")[0]
    return clause if len(clause) <= _CLAUSE else f"{clause[:_CLAUSE].rpartition(' ')[0]} ..."
