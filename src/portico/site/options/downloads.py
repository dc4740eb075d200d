"""The table [downloads]."""

from __future__ import annotations

from typing import Annotated, ClassVar

from portico.site.options.section import Section, option


class Downloads(Section, frozen=True):
    """Files that the app hands to the gateway to send."""

    shorthand: ClassVar[str] = "roots"

    roots: Annotated[
        list[str] | None,
        option(
            "Directories of files that the app sends (`send_file`, `X-Sendfile`) and the gateway may send instead; the "
            "worker sends any other file. Default: the app's static and instance folders, Flask's UPLOAD_FOLDER, "
            "Django's MEDIA_ROOT.",
            example=["reports", "/srv/media"],
            is_read=True,
        ),
    ] = None
