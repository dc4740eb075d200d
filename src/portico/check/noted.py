"""Settings that do less than they seem to: notes of the plan that deserve a warning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from portico.check.model import Finding, warning
from portico.place.model import Place
from portico.plan.decide import decided
from portico.plan.notes.allow_list import unbanned, unlisted
from portico.plan.notes.passwords import dear_passwords
from portico.plan.notes.unreached import unanswered, unreached
from portico.plan.web.unwanted.crawlers import ROBOTS, untold, unwelcome
from portico.plan.web.waf import notes as uninspected
from portico.site.model import Site

_MOST_NAMED = 4


def noted_findings(site: Site, place: Place) -> Iterator[Finding]:
    """One for each such note."""
    web = decided(site, place)
    for subject, sentences in (
        ("routes", unreached(web)),
        ("access", (*unanswered(web), *dear_passwords(web))),
        ("robots.txt", _robots(site)),
        ("guard", (*unlisted(web), *unbanned(web), *uninspected(site))),
    ):
        yield from (warning(subject, sentence, "", "settings") for sentence in sentences)


def _robots(site: Site) -> Iterator[str]:
    """What a robots.txt among the site's files says otherwise than [crawlers]."""
    for file in site.root_files:
        if file.url == ROBOTS:
            try:
                text = site.reader.text(Path(file.path))
            except (OSError, ValueError):
                continue  # nginx says 404, and other checks say why
            if names := untold(site, text):
                yield f"{file.path}: it lets {_named(names)} come, whom [crawlers] refuses: add Disallow: / for them"
            if names := unwelcome(site, text):
                yield f"{file.path}: it keeps out {_named(names)}, whom [crawlers] allows"


def _named(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
