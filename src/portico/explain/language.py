"""The language of a web server's configurations, as values and functions of values."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from portico.errors import Problem
from portico.explain.adopted import Adopted
from portico.explain.change import Change
from portico.explain.finding import Finds
from portico.explain.node import Node
from portico.explain.sandbox import Sandbox
from portico.explain.verdict import Asked, Verdict


class Words(Struct, frozen=True):
    """The description of a directive. `does` and `without` are clauses without a capital and a full stop."""

    default: str
    does: str
    without: str
    source: str = ""
    """Its page in the program's documentation, if it is known."""


class InForce(Struct, frozen=True):
    """A directive in force somewhere, and the level it comes from."""

    node: Node
    level: Node


class Left(Struct, frozen=True):
    """A true condition, and its answer or target."""

    condition: Node
    answer: Node
    leads_to: Node | None = None


class Setting(StrEnum):
    """Settings that every web server has, whatever its directive is called."""

    ANSWER = "an answer of its own"
    BODY_SIZE = "the largest body"
    BUFFERS = "what it holds of an answer"
    CACHE = "which answers it keeps"
    CLIENT_CERTIFICATE = "whether clients need a certificate"
    COMPRESSION = "whether it compresses"
    CONNECTIONS = "how many requests at once"
    FILES = "where files are"
    HEAD_BUFFER = "the largest head of an answer"
    HEAD_SIZE = "the largest head of a request"
    NEXT_SERVER = "when another server is tried"
    ODD_NAMES = "whether header names may have an underscore"
    PASSED_HEADERS = "the headers of the app"
    RATE = "how many requests in a time"
    TIMEOUT = "how long an answer may take"
    UPSTREAM = "to whom requests go"


class Language(Struct, frozen=True):
    """What Portico must know of a configuration to explain it, and to trace a request.

    All but `read` and `read_partly` are pure.
    """

    name: str
    """The program's name, as its process is called in a plan (`plan.gateway.kind`)."""
    main: str
    """The file that it reads first."""
    mains: tuple[str, ...]
    """The names and places of that file in a directory that somebody else made."""
    recognised: re.Pattern[str]
    """Matches every file in this language, and none in another."""
    read: Callable[[Path], Node]
    """The configuration as one tree. Raises PorticoError for an invalid one."""
    read_partly: Callable[[Path], tuple[Node, tuple[Problem, ...]]]
    """The same for a file without its system: what can be read, and what cannot. Raises PorticoError if that is all."""
    adopted: Callable[[Node], Adopted]
    """Its sites as options of Portico."""
    alone: Callable[[Node], list[str]]
    """The whole configuration as lines of one file, with the blocks that a fragment lacks. Raises ValueError for a word
    that cannot be written."""
    quoted: Callable[[Node], str]
    """A directive with its quotes, without its block."""
    shown: Callable[[Node], str]
    """The same for people: as they find it in the file, quotes aside."""
    title: Callable[[Node], str]
    """A block's title for people."""
    tables: Collection[str]
    """Blocks whose lines are rows of a table, not directives."""
    words: Callable[[str, str], Words | None]
    """The words for a directive in a block of the second name; None for an undescribed one."""
    findings: Finds
    """What an expert would say is wrong with a configuration."""
    notes: Callable[[Node, tuple[Node, ...]], list[str]]
    """How a directive affects those of the same name above and below; its ancestors, from the root on."""
    in_force: Callable[[tuple[Node, ...]], list[InForce]]
    """What is in force in the last block of a chain, its own lines and the inherited ones."""
    names: Callable[[Node], list[str]]
    """The names of a server; one empty name for a server without."""
    ports: Callable[[Node], list[int]]
    """Where the servers of a configuration listen, in their order."""
    verdict: Callable[[Node, Asked], Verdict]
    """The server and location of a request. Raises NoServerError; ValueError for a path that it refuses with 400."""
    ends: Callable[[Node, Asked, Verdict], list[Left]]
    """What takes the request out of its location before that answers."""
    levels: Callable[[Node, Verdict], list[Node]]
    """The blocks in which something may be set for the request, the innermost first."""
    settings: Mapping[Setting, tuple[str, ...]]
    """The directives of each."""
    files: Callable[[Node], tuple[Node, str] | None]
    """The line by which a location sends files, and their folder; None if it sends none."""
    member: Callable[[Node, str], Node | None]
    """The line about the server that the log names so; None if only the location says how it is asked."""
    detours: Callable[[Verdict], Mapping[str, Node]]
    """Internal targets of requests from there: "closed" during maintenance, "upgraded" for a WebSocket."""
    page: Callable[[Verdict, int], Node | None]
    """The line by which it shows an error page of its own with that status."""
    hides: Callable[[Node, str], bool]
    """Whether that directive removes a header of the app's."""
    changed: Callable[[list[str], Change], tuple[list[str], str]]
    """The lines of `main` with a change, and the change in words. Raises UsageError."""
    moved: Callable[[list[str], str, Callable[[], int]], tuple[list[str], dict[str, str]]]
    """The lines with ports and files of their own, in that directory; and the mapping of addresses."""
    argv: Callable[[str, str], list[str]]
    """The command for a binary with the files in `conf` of that directory."""
    only_reads: tuple[str, ...]
    """The arguments that make it read its files and end."""
    sandbox: Sandbox | None = None
    """How it runs beside the original (`portico adopt --verify`); None if it cannot."""
