"""The web application firewall: requests are compared with rules of known attacks before the app sees them."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from portico.errors import Problem
from portico.place.model import Place, RuleSet
from portico.site.model import Routed, Site
from portico.site.waf_exception import WafException, parse
from portico.values import Size

BODY_BYTES = 1 << 20
"""The bytes of a body that are inspected. The rest of a longer one is not, as in every such firewall."""
LARGEST_UPLOAD = Size(32 << 20)
"""ModSecurity reads a whole body into the gateway's memory. A route with larger uploads is not inspected."""
ARGUMENTS = 1000
"""The most query and form arguments; a request with more is refused."""
PATTERN_STEPS = 100_000
"""The most steps of a pattern match; beyond them, it counts as no match."""
LEFT_OUT = {
    "920350": "nginx itself decides which Host it answers",
    "920420": "which kinds of bodies a path takes is the app's to say: the rule set's own list lacks text and files",
    "920430": "nginx itself decides which versions of HTTP it speaks",
    "933000-933999": "attacks on PHP harm no Python app, and honest texts meet these rules more often than others",
}
"""Rules, by number, that are off, and why."""
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")
"""The app decides which methods a path accepts; the rule set's own list lacks those of a REST API."""


class Waf(Struct, frozen=True):
    """What is inspected by which rules, and what happens to a detected attack."""

    rules: RuleSet | None
    """None if this machine has none: the site cannot be served."""
    is_blocking: bool
    """It is refused with 403; otherwise it is only reported."""
    exceptions: tuple[WafException, ...]
    """Paths for which some rules, or all, are off. The longest match applies."""
    cause: str
    exceptions_cause: str


def waf(site: Site, place: Place) -> Waf | None:
    """The firewall; None without one."""
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
    """Whether requests to this route are inspected: not if it accepts large uploads."""
    return (route.edge.max_upload or 0) <= LARGEST_UPLOAD


def impossible(site: Site) -> Iterator[Problem]:
    """A site that accepts large uploads everywhere: each would be read into memory."""
    if site.options.guard.waf != "off" and site.max_upload > LARGEST_UPLOAD:
        what = f"the firewall reads every body into memory, and this site takes uploads of {site.max_upload}"
        hint = (
            f"set max_upload to {LARGEST_UPLOAD} or less, and a larger one for the routes that need it "
            '([routes."/import"] max_upload): those are not inspected'
        )
        yield Problem(site.cause("guard.waf"), what, hint)


def notes(site: Site) -> list[str]:
    """What the firewall does not inspect."""
    if site.options.guard.waf == "off":
        return []
    large = [one.pattern for one in site.routed if not is_inspected(one)]
    if not large:
        return []
    named = ", ".join(large)
    return [f"the firewall does not inspect {named}: uploads there may be larger than {LARGEST_UPLOAD}"]
