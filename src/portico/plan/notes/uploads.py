"""Uploads that nginx would accept and the app refuses."""

from __future__ import annotations

from collections.abc import Iterator

from portico.plan.web.model import Web
from portico.values import Size


def upload_notes(web: Web) -> Iterator[str]:
    """Uploads that nginx would accept and the app refuses: it stops reading at its own limit."""
    site = web.site
    most = site.facts.max_content_length
    if most is None:
        return
    asked = {"max_upload": site.options.max_upload}
    asked |= {item.rule: item.edge.max_upload for item in site.routed if not item.edge.upload_to_file}
    wanted = [f"{what} ({size})" for what, size in asked.items() if size is not None and size > most]
    if wanted:
        yield (
            f"the app itself refuses uploads above {Size(most)} (MAX_CONTENT_LENGTH), less than {', '.join(wanted)}: "
            "raise it, or set request.max_content_length in the view"
        )
