"""A configuration that runs beside the original: with stand-ins behind it, on other ports, with other files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from portico.explain.node import Node

StandIn = Callable[[str, str], str]
"""The address in the place of one: by the scheme ("http", "uwsgi"), and the address."""
Exists = Callable[[str], bool]
"""Whether there is a file or folder of that path."""


class Files(Struct, frozen=True):
    """The sandbox's own files, absolute; `folders` is where folders are made that are not there,
    `app` the stand-in as a WSGI file."""

    certificate: str
    key: str
    users: str
    folders: str
    app: str


class Sandbox(Struct, frozen=True):
    """What must be known of a language for it. All is pure."""

    relocated: Callable[[Node, StandIn, Files, Exists], Node]
    """The configuration with stand-ins, the sandbox's files, and one address for each port."""
    lines: Callable[[Node, str, Mapping[str, str]], list[str]]
    """The whole of it as lines, with what is written in that directory, and with modules by their names.

    Raises ValueError for a word that cannot be.
    """
    paths: Callable[[Node], list[str]]
    """Paths of the URL map of a server: each fixed one, and one below it."""
    passed: Callable[[Node], list[str]]
    """The prefixes whose requests are passed on."""
    folders: Callable[[Node], list[str]]
    """The folders of files that it names."""
    pages: Callable[[Node], list[str]]
    """The files that it names for one path each."""
