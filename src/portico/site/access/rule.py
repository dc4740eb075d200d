"""The access rules of some paths. Values only."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field


class Networks(Struct, frozen=True):
    """The networks of an option, with those from its files."""

    all: tuple[str, ...]
    cause: str


class Users(Struct, frozen=True):
    """The users that may sign in with a password: names and hashes, in the order of their file."""

    entries: tuple[tuple[str, str], ...]
    cause: str


class Check(Struct, frozen=True):
    """Where nginx asks about a client: a path of the app, below the mount, or a URL elsewhere."""

    path: str
    """Empty, as the URL is, for a view of an app that nobody has asked yet."""
    url: str
    sign_in: str
    """A path below the mount, or a URL; empty for none."""
    headers: tuple[str, ...]
    cause: str


class AccessRule(Struct, frozen=True):
    """The access settings of some paths. A key that is None is not set here: an outer rule may set it."""

    what: str
    """The path, or the app's rule, as it was written."""
    pattern: str
    """Every spelling of the paths, below the mount, as a case-insensitive regular expression (Python's and PCRE's).
    """
    head: str
    """The fixed prefix of each of them."""
    strict: str
    """The same paths as they are written."""
    order: tuple[int, ...]
    """A smaller number is a more specific rule."""
    allow: Networks | None = None
    deny: Networks | None = None
    methods: tuple[str, ...] | None = None
    certificate: bool = False
    users: Users | None = None
    check: Check | None = None
    internal: bool = False
    anybody: bool = False
    causes: Mapping[str, str] = field(default_factory=dict)
    """The place that set each key."""

    @property
    def is_all(self) -> bool:
        """Whether the rule is for the whole site."""
        return not self.pattern
