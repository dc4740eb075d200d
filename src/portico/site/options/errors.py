"""The table [errors]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option


class Errors(Section, frozen=True):
    """The pages nginx shows when the app cannot answer."""

    shorthand: ClassVar[str] = "pages"

    pages: Annotated[
        str,
        option(
            "Directory with pages of your own, named by status: 502.html, 404.html, 502.json; or maintenance.html. "
            "For a page that is missing there, Portico has its own.",
            example="errors",
            is_read=True,
        ),
    ] = ""
