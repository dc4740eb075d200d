"""What is said of who may come to some paths. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Networks:
    """The networks of an option, those of its files among them."""

    all: tuple[str, ...]
    cause: str


@dataclass(frozen=True)
class Users:
    """Who may come with a password: names and hashes, in the order of their file."""

    entries: tuple[tuple[str, str], ...]
    cause: str


@dataclass(frozen=True)
class Check:
    """Who decides: a path of the app, below the mount, or a URL elsewhere."""

    path: str
    url: str
    sign_in: str
    """A path below the mount, or a URL; empty for none."""
    headers: tuple[str, ...]
    cause: str


@dataclass(frozen=True)
class AccessRule:
    """What is said of some paths. A key that is None is not said here: an outer rule may say it."""

    what: str
    """The path, or the rule of the app, in its own spelling."""
    pattern: str
    """Every spelling of the paths, below the mount, as a regular expression (Python's and PCRE's), cases ignored."""
    head: str
    """What each of them begins with."""
    strict: str
    """The same paths as they are written."""
    order: tuple[int, ...]
    """Smaller is further inside."""
    allow: Networks | None = None
    deny: Networks | None = None
    methods: tuple[str, ...] | None = None
    certificate: bool = False
    users: Users | None = None
    check: Check | None = None
    internal: bool = False
    anybody: bool = False
    causes: Mapping[str, str] = field(default_factory=dict)
    """Who said each key."""

    @property
    def is_all(self) -> bool:
        """Whether it holds for the whole site."""
        return not self.pattern
