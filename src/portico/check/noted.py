"""Settings that do less than they seem to: notes of the plan that deserve a warning."""

from __future__ import annotations

from collections.abc import Iterator

from portico.check.model import Finding, warning
from portico.place.model import Place
from portico.plan.decide import decided
from portico.plan.notes.allow_list import unbanned, unlisted
from portico.plan.notes.passwords import dear_passwords
from portico.plan.notes.unreached import unanswered, unreached
from portico.plan.web.waf import notes as uninspected
from portico.site.model import Site


def noted_findings(site: Site, place: Place) -> Iterator[Finding]:
    """One for each such note."""
    web = decided(site, place)
    for subject, sentences in (
        ("routes", unreached(web)),
        ("access", (*unanswered(web), *dear_passwords(web))),
        ("guard", (*unlisted(web), *unbanned(web), *uninspected(site))),
    ):
        yield from (warning(subject, sentence, "", "settings") for sentence in sentences)
