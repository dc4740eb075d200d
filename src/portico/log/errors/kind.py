"""How a web server writes its error log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum

from msgspec import Struct

from portico.log.errors.complaint import Complaint
from portico.log.errors.limit import Refusal


class Topic(Enum):
    """What a complaint about a request is about, where somebody asks for it."""

    LIMIT = "a limit"
    NO_CONNECTION = "a server that takes no connection"
    LARGE_HEAD = "the head of an answer, which is too large"


class ErrorLog(Struct, frozen=True):
    """The lines of one program. None: the line is another's."""

    program: str
    """As its process is called in a plan (`plan.gateway.kind`)."""
    complaint: Callable[[str], Complaint | None]
    refusal: Callable[[str], Refusal | None]
    """A line about a limit."""
    is_noise: Callable[[str], bool]
    """Whether nobody needs to see that line."""
    absent: Callable[[str], str]
    """Words of a line about a socket at that path that is not there."""
    topics: Mapping[Topic, re.Pattern[str]]
    """Found in the text of a complaint; the first group is what people should read of it."""
