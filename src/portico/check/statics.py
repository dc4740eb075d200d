"""Which static folders does the app itself serve, and which headers does the gateway send with the others?"""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.model import Finding, ok, warning
from portico.place.model import Place
from portico.plan.decide import decided
from portico.plan.notes.guarded import header_names, left_hint, left_note
from portico.plan.notes.linked import linked_folders
from portico.site.model import Site


def static_findings(site: Site, place: Place) -> Iterator[Finding]:
    """One finding for each folder that the app's own code handles."""
    web = decided(site, place)
    for left in site.left:
        yield warning(f"static {site.prefix}{left.url}", left_note(left), left_hint(left), "static-left")
    for folder, sentence, hint in linked_folders(web):
        yield warning(f"static {site.prefix}{folder.url}", sentence, hint, "static-links")
    for sent in web.statics.folders:
        if names := header_names(web, sent):
            yield ok(
                f"static {sent.url}",
                f"{place.gateway.program} sends the app's own headers: {', '.join(names)}",
                "static-headers",
            )
