"""The table [log]."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from portico.site.options.section import Section, option
from portico.values import Duration, Size


class Log(Section, frozen=True):
    """The log files, and the lines that `portico run` shows."""

    shorthand: ClassVar[str] = "show"

    show: Annotated[
        Literal["auto", "text", "json", "off"],
        option(
            "What `portico run` writes to its standard output for each request: a short line, its JSON line, or "
            "nothing. `auto`: a short line on a terminal, JSON elsewhere. The log files are always written.",
            example="off",
        ),
    ] = "auto"
    size: Annotated[
        Size,
        option(
            "Size at which a log file is rotated: access.log becomes access.log.1. `0B` disables it, for a "
            "logrotate of your own.",
            example="256MiB",
        ),
    ] = Size(64 << 20)
    age: Annotated[
        Duration,
        option("Age of the first line at which a log file is rotated; `0s` disables it.", example="1d"),
    ] = Duration(7 * 86400)
    keep: Annotated[
        int, option("How many rotated files of each log are retained; older ones are deleted.", example=30)
    ] = 8
