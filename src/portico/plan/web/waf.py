"""The web application firewall: what a request says is compared with rules of known attacks before the app sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from portico.errors import Problem
from portico.place.model import Place, RuleSet
from portico.site.model import Routed, Site
from portico.site.waf_exception import WafException, parse
from portico.values import Size

BODY_BYTES = 1 << 20
"""So much of a body is compared with the rules. The rest of a longer one is not, as in every such firewall."""
LARGEST_UPLOAD = Size(32 << 20)
"""ModSecurity reads a body whole into the gateway's memory. A route that takes larger ones is not inspected."""
ARGUMENTS = 1000
"""So many values of a query and a form; a request with more is refused."""
PATTERN_STEPS = 100_000
"""So many steps a pattern may take; beyond, it counts as not found."""
LEFT_OUT = {
    "920350": "nginx itself decides which Host it answers",
    "920420": "which kinds of bodies a path takes is the app's to say: the rule set's own list lacks text and files",
    "920430": "nginx itself decides which versions of HTTP it speaks",
    "933000-933999": "attacks on PHP harm no Python app, and honest texts meet these rules more often than others",
}
"""Rules, by number, that are not asked, and why."""
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")
"""Which of them a path takes is the app's to say; the rule set's own list lacks those of a REST API."""


@dataclass(frozen=True)
class Waf:
    """What is inspected by which rules, and what happens to a request that they find to be an attack."""

    rules: RuleSet | None
    """None where this machine has none: the site cannot be served."""
    is_blocking: bool
    """It is refused with 403; else it is only reported."""
    exceptions: tuple[WafException, ...]
    """Paths for which some rules, or all, do not count. Of several that fit the longest holds."""
    cause: str
    exceptions_cause: str


def waf(site: Site, place: Place) -> Waf | None:
    """None where nothing is inspected."""
    options = site.options.guard
    if options.waf == "off":
        return None
    return Waf(
        rules=place.rule_set,
        is_blocking=options.waf == "block",
        exceptions=tuple(parse(text) for text in options.waf_except),
        cause=site.cause("guard.waf"),
        exceptions_cause=site.cause("guard.waf_except"),
    )


def is_inspected(route: Routed) -> bool:
    """Whether requests to this route are: not where it takes large uploads."""
    return (route.edge.max_upload or 0) <= LARGEST_UPLOAD


def impossible(site: Site) -> Iterator[Problem]:
    """Where the whole site takes large uploads, each would be read into memory."""
    if site.options.guard.waf != "off" and site.max_upload > LARGEST_UPLOAD:
        what = f"the firewall reads every body into memory, and this site takes uploads of {site.max_upload}"
        hint = (
            f"set max_upload to {LARGEST_UPLOAD} or less, and a larger one for the routes that need it "
            '([routes."/import"] max_upload): those are not inspected'
        )
        yield Problem(site.cause("guard.waf"), what, hint)


def notes(site: Site) -> list[str]:
    """What the firewall does not look at."""
    if site.options.guard.waf == "off":
        return []
    large = [one.pattern for one in site.routed if not is_inspected(one)]
    if not large:
        return []
    named = ", ".join(large)
    return [f"the firewall does not inspect {named}: uploads there may be larger than {LARGEST_UPLOAD}"]
