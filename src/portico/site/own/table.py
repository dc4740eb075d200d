"""The options that are about one gateway alone: a table of portico.toml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from portico.errors import Problem
from portico.reading import Reader
from portico.site.options import Options
from portico.site.own.model import OwnText


class GatewayTable(Struct, frozen=True):
    """How the options of a gateway are read."""

    program: str
    """As its process is called in a plan (`plan.gateway.kind`)."""
    binary_key: str
    """The option that names the program."""
    binary: Callable[[Options], str]
    above_key: str
    """The option whose directives are for everything of the site."""
    server_key: str
    """The option whose directives are for the server of the site."""
    read: Callable[[Options, Path, Mapping[str, str], Reader, list[Problem]], OwnText]
    """The user's directives of a site in that directory; problems with them are added to the list."""
