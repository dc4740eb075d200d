"""The table [errors]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option


class Errors(Section, frozen=True):
    """The pages that the gateway shows when the app cannot answer."""

    shorthand: ClassVar[str] = "pages"

    pages: Annotated[
        str,
        option(
            "Directory of your own error pages, named by status: 502.html, 404.html, 502.json; or "
            "maintenance.html. Portico's own pages replace missing ones.",
            example="errors",
            is_read=True,
        ),
    ] = ""
