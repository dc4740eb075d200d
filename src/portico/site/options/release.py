"""The table [release]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option


class Release(Section, frozen=True):
    """What belongs to a release of the app beside its code."""

    shorthand: ClassVar[str] = "before"

    before: Annotated[
        str,
        option(
            "A command that runs once before a release is started, at a start, a reload and a canary: migrations of "
            "the database. It has the app's user, directory and environment. If it fails, the release is dropped "
            "and the previous one serves on. No shell reads it.",
            example="flask db upgrade",
        ),
    ] = ""
    after: Annotated[
        str,
        option(
            "A command that runs once when a release has begun to serve, at a start, a reload and a promotion: to warm "
            "a cache, to tell others. If it fails, that is said, and the release serves on. No shell reads it.",
            example="python tell_chat.py",
        ),
    ] = ""
